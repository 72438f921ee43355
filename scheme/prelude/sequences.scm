;; Lists.

(define map
  (case-lambda
    ((f list)
     (let map1 ((list list))
       (if (pair? list)
           (let ((v (f (car list)))) (cons v (map1 (cdr list))))
           (if (null? list) '() (%check-ends list)))))
    ((f a b)
     (let map2 ((a a) (b b))
       (if (and (pair? a) (pair? b))
           (let ((v (f (car a) (car b)))) (cons v (map2 (cdr a) (cdr b))))
           (begin (%check-ends a b) '()))))
    ((f . lists) (let ((v (%map-lists f lists))) v))))

(define (%map-lists f lists)
  (let mapn ((lists lists))
    (if (%all-pairs? lists)
        (let ((v (apply f (%cars lists)))) (cons v (mapn (%cdrs lists))))
        (begin (%check-lists lists) '()))))

(define for-each
  (case-lambda
    ((f list)
     (let loop ((list list))
       (if (pair? list)
           (begin (f (car list)) (loop (cdr list)))
           (if (not (null? list)) (%check-ends list)))))
    ((f a b)
     (let loop ((a a) (b b))
       (if (and (pair? a) (pair? b))
           (begin (f (car a) (car b)) (loop (cdr a) (cdr b)))
           (%check-ends a b))))
    ((f . lists) (let ((v (%for-each-lists f lists))) v))))

(define (%for-each-lists f lists)
  (let loop ((lists lists))
    (if (%all-pairs? lists)
        (begin (apply f (%cars lists)) (loop (%cdrs lists)))
        (%check-lists lists))))

(define append-map
  (case-lambda
    ((f list) (%append-all (map f list)))
    ((f . lists) (%append-all (%map-lists f lists)))))

(define member
  (case-lambda
    ((x list) (%member x list))
    ((x list same?)
     (let loop ((list list))
       (cond ((not (pair? list)) (%check-ends list) #f)
             ((same? x (car list)) list)
             (else (loop (cdr list))))))))

(define assoc
  (case-lambda
    ((x list) (%assoc x list))
    ((x list same?)
     (let loop ((list list))
       (cond ((not (pair? list)) (%check-ends list) #f)
             ((same? x (caar list)) (car list))
             (else (loop (cdr list))))))))

(define (filter keep? list)
  (let loop ((list list) (kept '()))
    (if (pair? list)
        (loop (cdr list) (if (keep? (car list)) (cons (car list) kept) kept))
        (begin (%check-ends list) (reverse kept)))))

(define fold
  (case-lambda
    ((f init list)
     (let loop ((list list) (acc init))
       (if (pair? list)
           (loop (cdr list) (f (car list) acc))
           (begin (%check-ends list) acc))))
    ((f init a b)
     (let loop ((a a) (b b) (acc init))
       (if (and (pair? a) (pair? b))
           (loop (cdr a) (cdr b) (f (car a) (car b) acc))
           (begin (%check-ends a b) acc))))))

(define (fold-left f init list)
  (let loop ((list list) (acc init))
    (if (pair? list)
        (loop (cdr list) (f acc (car list)))
        (begin (%check-ends list) acc))))

(define (fold-right f init list)
  (let loop ((list (reverse list)) (acc init))
    (if (pair? list) (loop (cdr list) (f (car list) acc)) acc)))

(define (reduce f init list)
  (if (null? list)
      init
      (let loop ((list (cdr list)) (acc (car list)))
        (if (pair? list)
            (loop (cdr list) (f (car list) acc))
            (begin (%check-ends list) acc)))))

(define (delete x list)
  (let ((v (filter (lambda (y) (not (equal? x y))) list))) v))

(define (any f list)
  (let loop ((list list))
    (if (pair? list)
        (or (f (car list)) (loop (cdr list)))
        (begin (%check-ends list) #f))))

(define (every f list)
  (let loop ((list list) (last #t))
    (if (pair? list)
        (let ((v (f (car list)))) (and v (loop (cdr list) v)))
        (begin (%check-ends list) last))))

(define (sort items less?)
  (define (merge a b)
    (let loop ((a a) (b b) (merged '()))
      (cond ((null? a) (append-reverse merged b))
            ((null? b) (append-reverse merged a))
            ((less? (car b) (car a)) (loop a (cdr b) (cons (car b) merged)))
            (else (loop (cdr a) b (cons (car a) merged))))))
  (define (sort-first list n)
    (if (= n 1)
        (cons (car list) '())
        (let ((half (quotient n 2)))
          (merge (sort-first list half) (sort-first (list-tail list half) (- n half))))))
  (cond ((null? items) '())
        ((vector? items) (list->vector (sort (vector->list items) less?)))
        (else (sort-first items (length items)))))

(define (list-sort less? items) (let ((v (sort items less?))) v))

;; Vectors and strings.

(define vector-map
  (case-lambda
    ((f vector)
     (let loop ((i (- (vector-length vector) 1)) (values '()))
       (if (< i 0)
           (list->vector values)
           (loop (- i 1) (cons (f (vector-ref vector i)) values)))))
    ((f . vectors) (list->vector (%map-lists f (%vectors->lists vectors))))))

(define vector-for-each
  (case-lambda
    ((f vector)
     (let ((n (vector-length vector)))
       (let loop ((i 0))
         (if (< i n)
             (begin (f (vector-ref vector i)) (loop (+ i 1)))))))
    ((f . vectors) (let ((v (%for-each-lists f (%vectors->lists vectors)))) v))))

(define string-map
  (case-lambda
    ((f string) (list->string (map f (string->list string))))
    ((f . strings) (list->string (%map-lists f (%strings->lists strings))))))

(define string-for-each
  (case-lambda
    ((f string)
     (let ((n (string-length string)))
       (let loop ((i 0))
         (if (< i n)
             (begin (f (string-ref string i)) (loop (+ i 1)))))))
    ((f . strings) (let ((v (%for-each-lists f (%strings->lists strings)))) v))))

(define (string-count string good?)
  (let loop ((list (string->list string)) (n 0))
    (if (pair? list) (loop (cdr list) (if (good? (car list)) (+ n 1) n)) n)))
