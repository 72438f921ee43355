;; Whether a matrix of +1 and -1 is the greatest of those that row and column flips and
;; permutations make of it: lists of lists walked again and again.
(define (fold-rows f init l) (if (null? l) init (fold-rows f (f init (car l)) (cdr l))))
(define (dot a b) (if (null? a) 0 (+ (* (car a) (car b)) (dot (cdr a) (cdr b)))))
(define (all-signs n)
  (if (= n 0) '(()) (let ((rest (all-signs (- n 1))))
                      (append (map (lambda (r) (cons 1 r)) rest) (map (lambda (r) (cons -1 r)) rest)))))
(define (orthogonal? rows row) (fold-rows (lambda (ok r) (and ok (= (dot r row) 0))) #t rows))
(define (count-matrices rows candidates n)
  (if (= n 0) 1
      (fold-rows (lambda (sum row)
                   (if (orthogonal? rows row)
                       (+ sum (count-matrices (cons row rows) candidates (- n 1)))
                       sum))
                 0 candidates)))
(define (run n) (let ((r (count-matrices '() (all-signs 4) 4))) (if (> n 1) (run (- n 1)) r)))
(display (run 60)) (newline)
