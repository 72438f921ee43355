;; What write puts out reads back as the same datum (6.13.3): symbols, characters, strings, numbers and
;; what is made of them, by chance and by hand.
(import (scheme base) (scheme write) (scheme read) (scheme char) (scheme inexact) (scheme process-context)
        (srfi 111) (besom))
(include "check.scm")

(define seed 1)
(define (random n)
  (set! seed (modulo (+ (* seed 1103515245) 12345) 2147483648))
  (modulo (quotient seed 64) n))
(define (pick vector) (vector-ref vector (random (vector-length vector))))

(define (text-of datum) (output-of (lambda (port) (write datum port))))
(define (read-all text)
  (let ((port (open-input-string text)))
    (let loop ((data '()))
      (let ((datum (read port)))
        (if (eof-object? datum) (reverse data) (loop (cons datum data)))))))
(define (comes-back? datum) (equal? (list datum) (read-all (text-of datum))))
;; Also between other data, whatever the first word of a text may mean.
(define (comes-back-within? datum)
  (equal? (list 'a datum datum) (car (read-all (text-of (list 'a datum datum))))))
(define-syntax each-comes-back
  (syntax-rules ()
    ((_ count make)
     (do ((i 0 (+ i 1))) ((= i count))
       (let ((datum make))
         (if (not (and (comes-back? datum) (comes-back-within? datum)))
             (test datum (read-all (text-of datum)))))))))

;; Symbols that look like something else, in parts or as a whole.
(define names
  '#("" "." ".." "..." "12" "-12" "+5" "+i" "-i" "1+2i" "1@2" "1/2" "+inf.0" "-inf.0" "+nan.0" "-nan.0" "+inf.0i"
     "1e3" ".5" "+.5" "5." "-" "+" "--" "->x" "1+" "+5x" "-e" "#!eof" "#!default" "#!fold-case" "#!no-fold-case" "#t" "#false" "#" "##"
     "#x12" "#e1" "#d" "#\\a" "#(" "#u8" "#u8(1)" "#;" "#|" "|#" "#1=" "#1#" "#&" "#!/usr/bin/env" "a#" "a|b" "|" "||" "\\" "a\\b" "\\x41;" "a b" " "
     "(" ")" "a(b" "[" "]" "{" "}" "\"" "'" "`" "," ",@" ";" "a;b" "quote" "Foo" "FOO" "λ" "ÄÖ" "ß" "x\x0;y" "\x7f;" "\n" "a\nb" "\t" "\r"
     "\x85;" "\xa0;" "\x2028;" "\x3000;" "\xfeff;" "\xfeff;a" "a\xfeff;" "\xad;" "\x200b;" "\x300;a" "\xe000;" "\x1f600;" "\x10ffff;"))
(test #t (let loop ((i 0)) (or (= i (vector-length names)) (and (symbol? (string->symbol (vector-ref names i))) (loop (+ i 1))))))
(do ((i 0 (+ i 1))) ((= i (vector-length names)))
  (let ((symbol (string->symbol (vector-ref names i))))
    (test (list symbol) (read-all (text-of symbol)))
    (test #t (comes-back-within? symbol))
    (test #t (comes-back? (string->symbol (string-append (vector-ref names i) "x"))))
    (test #t (comes-back? (string->symbol (string-append "x" (vector-ref names i)))))))
(test '("||" "|.|" "|12|" "|+i|" "|#!eof|" "|\\\\|" "|a\\|b|" "|a b|" "foo" "Foo" "..." "+" "->x" "λ")
      (map (lambda (name) (text-of (string->symbol name))) '("" "." "12" "+i" "#!eof" "\\" "a|b" "a b" "foo" "Foo" "..." "+" "->x" "λ")))

(define characters
  '#(#\a #\b #\A #\x #\e #\i #\n #\f #\0 #\1 #\9 #\. #\+ #\- #\/ #\@ #\# #\! #\% #\| #\\ #\" #\' #\` #\, #\; #\( #\) #\[ #\] #\{ #\} #\space
     #\newline #\tab #\return #\alarm #\backspace #\null #\delete #\escape #\x85 #\xa0 #\xad #\xfeff #\x2028 #\x3000 #\λ #\Σ #\ß #\é
     #\x300 #\x1f600 #\x10ffff #\xd7ff #\xe000))
(define (random-character) (if (< (random 20) 19) (pick characters) (integer->char (random #xd800))))
(define (random-string) (let ((s (make-string (random 8)))) (string-map (lambda (c) (random-character)) s)))
(each-comes-back (size 20000) (string->symbol (random-string)))
(each-comes-back (size 20000) (random-string))
;; In a text that folds case a symbol between bars keeps its own.
(test '(abc |aBc|) (read-all "#!fold-case ABC |aBc|"))

;; Characters: all there are up to U+3100, and some beyond.
(do ((i 0 (+ i (if small? 97 1)))) ((>= i #x3100))
  (let ((c (integer->char i))) (if (not (comes-back-within? c)) (test c (read-all (text-of c))))))
(each-comes-back (size 5000) (integer->char (+ #xe000 (random #x101fff))))

;; Numbers, in each radix too.
(define (random-real)
  (let ((x (* (- (random 2000001) 1000000) (expt (pick '#(2.0 10.0 0.1 3.0)) (random 300)))))
    (if (or (nan? x) (infinite? x)) 1.5 x)))
(define (random-integer) (* (- (random 2000001) 1000000) (pick '#(1 -1 1000 123456789 9000000000))))
(define (number-comes-back? x radix) (eqv? x (string->number (number->string x radix) radix)))
(each-comes-back (size 20000) (random-real))
(each-comes-back (size 20000) (random-integer))
(for-each
  (lambda (x) (test (list x #t #t #t #t) (cons (car (read-all (text-of x))) (map (lambda (radix) (number-comes-back? x radix)) '(2 8 10 16)))))
  '(0 -1 1.0 -0.0 0.1 -1.5 1e21 1e22 1e-7 123456789012345680.0 5e-324 1.7976931348623157e308 2.2250738585072014e-308
    9223372036854775807 -9223372036854775808 +inf.0 -inf.0))
(test "+nan.0" (text-of (car (read-all "+nan.0"))))
(do ((i 0 (+ i 1))) ((= i (size 5000)))
  (let ((x (random-real)) (n (random-integer)))
    (for-each (lambda (radix) (if (not (and (number-comes-back? x radix) (number-comes-back? n radix))) (test 'comes-back (list x n radix))))
              '(2 8 10 16 32))))
(test '("101.1" "-0.0" "ff.8" "0.4") (list (number->string 5.5 2) (number->string -0.0 8) (number->string 255.5 16) (number->string 0.25 16)))

;; What they are part of.
(define (random-datum depth)
  (case (random (if (= depth 0) 6 11))
    ((0) (string->symbol (random-string)))
    ((1) (random-string))
    ((2) (random-character))
    ((3) (random-integer))
    ((4) (random-real))
    ((5) (pick '#(#t #f () #u8() #u8(0 255) #() quote)))
    ((6) (list (pick '#(quote quasiquote unquote unquote-splicing)) (random-datum (- depth 1))))
    ((7) (cons (random-datum (- depth 1)) (random-datum (- depth 1))))
    ((8) (vector (random-datum (- depth 1)) (random-datum (- depth 1))))
    ((9) (box (random-datum (- depth 1))))
    (else (list (random-datum (- depth 1)) (random-datum (- depth 1)) (random-datum (- depth 1))))))
(each-comes-back (size 10000) (random-datum 4))
(for-each (lambda (datum) (test (list datum) (read-all (text-of datum))))
          (list (quote (quote)) '(quote . a) '(quote a b) '(quote a . b) ''a '(1 quote a) '(1 . (quote a)) (box 5) (box (box '())) '#&(1 2)))
(test 5 (unbox '#&5))
(test #t (box? #&x))
(define loop-of-all (list 1 (vector 2 #f) (box #f)))
(vector-set! (cadr loop-of-all) 1 loop-of-all)
(set-box! (car (cddr loop-of-all)) (cadr loop-of-all))
(test "#0=(1 #1=#(2 #0#) #&#1#)" (output-of (lambda (port) (write-shared loop-of-all port))))
(let ((back (read (open-input-string (output-of (lambda (port) (write-shared loop-of-all port)))))))
  (test #t (eq? back (vector-ref (cadr back) 1)))
  (test #t (eq? (cadr back) (unbox (car (cddr back))))))

(finish)
