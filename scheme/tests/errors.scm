;; Uncaught: the place and the frames are told.
(define (inner x)
  (+ 1 (car x)))
(define (outer x)
  (* 2 (inner x)))
(display "before")
(newline)
(display (outer 5))
