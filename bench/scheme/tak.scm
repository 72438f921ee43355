(define (tak x y z)
  (if (not (< y x)) z (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y))))
(define (run n) (let ((r (tak 18 12 6))) (if (> n 1) (run (- n 1)) r)))
(display (run 100)) (newline)
