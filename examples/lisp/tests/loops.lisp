; A call in tail position takes no stack: not in if, cond, let, begin, and not by apply.
(define (count n) (if (= n 0) 'counted (count (- n 1))))
(print (count 20000))
(define (by-cond n) (cond ((= n 0) 'by-cond) (else (let ((m (- n 1))) (begin (by-cond m))))))
(print (by-cond 20000))
(define (by-apply n) (if (= n 0) 'by-apply (apply by-apply (list (- n 1)))))
(print (by-apply 20000))

; Memory that is used once is used again: some 3 MB in a heap of 1 MB would not fit.
(define (numbers n) (if (= n 0) nil (cons n (numbers (- n 1)))))
(define (sum l) (fold + 0 l))
(define (repeat n) (if (= n 0) 'repeated (begin (sum (numbers 100)) (repeat (- n 1)))))
(print (sum (numbers 1000)) (repeat 300))
