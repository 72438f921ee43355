;; Primes below ten thousand, by sieving a list.
(define (interval lo hi) (if (> lo hi) '() (cons lo (interval (+ lo 1) hi))))
(define (remove-multiples n l)
  (cond ((null? l) '())
        ((= (remainder (car l) n) 0) (remove-multiples n (cdr l)))
        (else (cons (car l) (remove-multiples n (cdr l))))))
(define (sieve l) (if (null? l) '() (cons (car l) (sieve (remove-multiples (car l) (cdr l))))))
(define (run n) (let ((r (length (sieve (interval 2 10000))))) (if (> n 1) (run (- n 1)) r)))
(display (run 6)) (newline)
