;; tak in which every call and return goes through a continuation.
(define (ctak x y z) (call-with-current-continuation (lambda (k) (ctak-aux k x y z))))
(define (ctak-aux k x y z)
  (if (not (< y x))
      (k z)
      (call-with-current-continuation
        (lambda (k)
          (ctak-aux k
                    (call-with-current-continuation (lambda (k) (ctak-aux k (- x 1) y z)))
                    (call-with-current-continuation (lambda (k) (ctak-aux k (- y 1) z x)))
                    (call-with-current-continuation (lambda (k) (ctak-aux k (- z 1) x y))))))))
(define (run n) (let ((r (ctak 18 12 6))) (if (> n 1) (run (- n 1)) r)))
(display (run 20)) (newline)
