; What the language has.
(print 1 -2 "a \"string\" \\" 'symbol '(1 (2 "x") . y) nil '() t car)
(display "bare" "strings" '("in lists too") "\n")
(print (+) (+ 1 2 3) (- 5) (- 10 1 2) (*) (* 2 3 4) (/ -7 2) (mod 7 3))
(print (= 1 1) (< 1 2) (> 1 2) (<= 2 2) (>= 1 2))
(print (eq? 'a 'a) (eq? "a" "a") (equal? "a" "a") (equal? '(1 ("b")) '(1 ("b"))) (equal? '(1) '(2)))
(print (if nil 1) (if 0 1 2) (if nil 1 2 3))
(print (cond ((= 1 2) 'no) ((+ 1 1) 'yes) (else 'never)) (cond ((= 1 1) 'several 'expressions)) (cond))
(print (and) (and 1 2) (and 1 nil 2) (or) (or nil 3) (or nil nil))
(print (begin) (begin 1 2) (let ((a 1) (b 2)) (+ a b)) (let () 5))
(print (pair? '(1)) (pair? nil) (integer? 1) (string? "") (symbol? 'a) (not nil) (not 1))
(print '(1 .
  2) '(a .b) (cons 1 2) (car '(1 2)) (cdr '(1 2)) (list 1 2 3) (length '(1 2 3)) (reverse '(1 2 3)))
(print (append '(1 2) '(3)) (map (lambda (x) (* x x)) '(1 2 3)) (filter symbol? '(a 1 b)))
(for-each (lambda (x) (display x " ")) '(1 "two" (3)))
(print)
(print (fold + 0 '(1 2 3)) (apply + '(1 2 3)) (apply apply (list + '(1 2))))
(print (string-append "ab" "" "cd" 'e 5) (string-length "abc") (string=? "a" "a") (string=? "a" "b"))
(print (substring "abcdef" 2 4) (substring "abc" 3 3))
(print ((lambda (a . others) (list a others)) 1 2 3) ((lambda all all)) ((lambda all all) 1 2))

; Special forms are values too, and a variable may have their name.
(define my-if if)
(print (my-if t 1 (car 5)) (let ((if list)) (if 1 2 3)))
