;; Every second element of a list, by iteration.
(define (create-n n) (do ((n n (- n 1)) (a '() (cons '() a))) ((= n 0) a)))
(define *ll* (create-n 1000))
(define (iterative-div2 l) (do ((l l (cddr l)) (a '() (cons (car l) a))) ((null? l) a)))
(define (run n) (let ((r (length (iterative-div2 *ll*)))) (if (> n 1) (run (- n 1)) r)))
(display (run 15000)) (newline)
