(define (second l)
  ; the place is that of the innermost list
  (car (cdr l)))
(print (second '(1 2)))
(second '(1 . 5))
