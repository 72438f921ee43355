;; What the public R7RS test file asks of (chibi test), for scripts/r7rs: each assertion prints a line
;;   ASSERTION pass|fail KEY.N [GOT]
;; where KEY names the form it stands in, and N counts within the form. A form that cannot be read or
;; compiled, or that raises outside of its assertions, is one failed assertion, KEY.form.

(define-library (chibi test)
  (export test test-values test-assert test-error test-begin test-end %run-form)
  (import (scheme base) (scheme write) (scheme read) (scheme eval) (scheme inexact)
          (scheme repl))
  (begin
    (define key "none")
    (define count 0)

    ;; To the real standard output, whatever port the tests make the current one.
    (define console (current-output-port))

    (define (report passed? what got)
      (display (if passed? "ASSERTION pass " "ASSERTION fail ") console)
      (display key console)
      (display "." console)
      (display what console)
      (if (not passed?)
          (begin
            (display " " console)
            (write got console)))
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

    (define (check passes? thunk)
      (set! count (+ count 1))
      (let* ((number count)
             (outcome (guard (e (#t (list #f (text-of e))))
                        (let ((got (thunk)))
                          (list (passes? got) got)))))
        (report (car outcome) number (cadr outcome))))

    (define-syntax test
      (syntax-rules ()
        ((_ name expected expression) (test expected expression))
        ((_ expected expression)
         (check (lambda (got) (agree? expected got)) (lambda () expression)))))
    (define-syntax test-values
      (syntax-rules ()
        ((_ expected expression)
         (check (lambda (got) (agree? (call-with-values (lambda () expected) list) got))
                (lambda () (call-with-values (lambda () expression) list))))))
    (define-syntax test-assert
      (syntax-rules ()
        ((_ name expression) (test-assert expression))
        ((_ expression) (check (lambda (got) got) (lambda () expression)))))
    (define-syntax test-error
      (syntax-rules ()
        ((_ name expression) (test-error expression))
        ((_ expression)
         (check (lambda (raised?) raised?)
                (lambda () (guard (e (#t #t)) expression #f))))))

    (define (test-begin . name) #f)
    (define (test-end . name) #f)

    (define (%run-form form-key text)
      (set! key form-key)
      (set! count 0)
      (guard (e (#t (report #f "form" (text-of e))))
        (eval (read (open-input-string text)) (interaction-environment))))))
