;; Every second element of a list, by recursion.
(define (create-n n) (do ((n n (- n 1)) (a '() (cons '() a))) ((= n 0) a)))
(define *ll* (create-n 1000))
(define (recursive-div2 l) (cond ((null? l) '()) (else (cons (car l) (recursive-div2 (cddr l))))))
(define (run n) (let ((r (length (recursive-div2 *ll*)))) (if (> n 1) (run (- n 1)) r)))
(display (run 15000)) (newline)
