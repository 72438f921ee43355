;; How many ways there are to put n queens on a board of n by n.
(import (scheme base) (scheme write))

(define (queens n)
  (define (safe? row distance placed)
    (or (null? placed)
        (and (not (= (car placed) row))
             (not (= (car placed) (+ row distance)))
             (not (= (car placed) (- row distance)))
             (safe? row (+ distance 1) (cdr placed)))))
  (let place ((column 0) (placed '()))
    (if (= column n)
        1
        (let try ((row 0) (count 0))
          (cond ((= row n) count)
                ((safe? row 1 placed)
                 (try (+ row 1) (+ count (place (+ column 1) (cons row placed)))))
                (else (try (+ row 1) count)))))))
(for-each (lambda (n) (write (queens n)) (newline)) '(1 4 5 6 7 8))
