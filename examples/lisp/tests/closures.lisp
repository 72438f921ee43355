; Variables that outlive their call, and who shares them.
(define (make-counter)
  (let ((n 0))
    (lambda () (set! n (+ n 1)) n)))
(define a (make-counter))
(define b (make-counter))
(a) (a)
(print (a) (b))

; Definitions inside of a function see each other.
(define (parity n)
  (define (even n) (if (= n 0) 'even (odd (- n 1))))
  (define (odd n) (if (= n 0) 'odd (even (- n 1))))
  (even n))
(print (parity 10) (parity 7))

; The values of a let are those from outside, its variables hide others of the same name.
(define x 1)
(print (let ((x 2) (y x)) (list x y)) x)
(define (shadow x) (define x 5) (set! x (+ x 1)) x)
(print (shadow 1) x)
(define x 7)
(print x)

(define (compose f g) (lambda (x) (f (g x))))
(print ((compose car cdr) '(1 2 3)) (map (compose - car) '((1) (2))))

(define (sort l)
  (if l
      (let ((pivot (car l)))
        (append (sort (filter (lambda (x) (< x pivot)) (cdr l)))
                (cons pivot (sort (filter (lambda (x) (>= x pivot)) (cdr l))))))))
(print (sort '(3 1 4 1 5 9 2 6)))
