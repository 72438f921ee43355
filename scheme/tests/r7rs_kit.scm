;; What the public R7RS test file asks of (chibi test), for scripts/r7rs: each assertion prints a line
;;   ASSERTION pass|fail KEY<tab>EXPRESSION<tab>GOT
;; where KEY names the form it stands in, and EXPRESSION is what is asserted, as macros of the file have
;; made it. A form that cannot be read or compiled, or that raises outside of its assertions, is one
;; failed assertion with the expression #f.

(define-library (chibi test)
  (export test test-values test-assert test-error test-begin test-end %run-form)
  (import (scheme base) (scheme write) (scheme read) (scheme eval) (scheme inexact)
          (scheme repl))
  (begin
    (define key "none")

    ;; To the real standard output, whatever port the tests make the current one.
    (define console (current-output-port))

    (define (report passed? expression got)
      (display (if passed? "ASSERTION pass " "ASSERTION fail ") console)
      (display key console)
      (display "\t" console)
      (write expression console)
      (display "\t" console)
      (if (not passed?) (write got console))
      (newline console))

    ;; Flonums may differ by as much as (chibi test) lets them.
    (define (agree? expected got)
      (cond ((equal? expected got) #t)
            ((and (real? expected) (inexact? expected) (real? got) (inexact? got))
             (or (and (nan? expected) (nan? got))
                 (and (zero? expected) (< (abs got) 1e-5))
                 (and (not (zero? expected)) (< (abs (- (/ got expected) 1.0)) 1e-5))))
            ((and (pair? expected) (pair? got))
             (and (agree? (car expected) (car got)) (agree? (cdr expected) (cdr got))))
            (else #f)))

    (define (text-of condition)
      (if (error-object? condition)
          (list 'raised (error-object-message condition) (error-object-irritants condition))
          (list 'raised condition)))

    (define (check expression passes? thunk)
      (let ((outcome (guard (e (#t (list #f (text-of e))))
                       (let ((got (thunk)))
                         (list (passes? got) got)))))
        (report (car outcome) expression (cadr outcome))))

    (define-syntax test
      (syntax-rules ()
        ((_ name expected expression) (test expected expression))
        ((_ expected expression)
         (check '(test expected expression) (lambda (got) (agree? expected got)) (lambda () expression)))))
    (define-syntax test-values
      (syntax-rules ()
        ((_ expected expression)
         (check '(test-values expected expression)
                (lambda (got) (agree? (call-with-values (lambda () expected) list) got))
                (lambda () (call-with-values (lambda () expression) list))))))
    (define-syntax test-assert
      (syntax-rules ()
        ((_ name expression) (test-assert expression))
        ((_ expression) (check '(test-assert expression) (lambda (got) got) (lambda () expression)))))
    (define-syntax test-error
      (syntax-rules ()
        ((_ name expression) (test-error expression))
        ((_ expression)
         (check '(test-error expression)
                (lambda (raised?) raised?)
                (lambda () (guard (e (#t #t)) expression #f))))))

    (define (test-begin . name) #f)
    (define (test-end . name) #f)

    (define (%run-form form-key text)
      (set! key form-key)
      (guard (e (#t (report #f #f (text-of e))))
        (eval (read (open-input-string text)) (interaction-environment))))))
