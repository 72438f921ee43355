;; Included by each test program: (test expected expression) and (test-error expression). A failure
;; is told and makes (finish) end the program with code 70.

;; With an argument sizes are small, for runs in which every allocation verifies the heap.
(define small? (pair? (cdr (command-line))))
(define (size n) (if small? (+ 4 (quotient n 10000)) n))

(define checks 0)
(define failures 0)

(define (report-failure expression expected got)
  (set! failures (+ failures 1))
  (display "FAILED: ")
  (write expression)
  (display " gave ")
  (write got)
  (display ", expected ")
  (write expected)
  (newline))

(define (same? a b)
  (cond ((and (number? a) (number? b) (inexact? a) (inexact? b))
         (or (eqv? a b)
             (and (nan? a) (nan? b))
             (< (abs (- a b)) (* 1e-12 (max 1 (abs a))))))
        (else (equal? a b))))

(define (check expression expected thunk)
  (set! checks (+ checks 1))
  (let ((got (call/cc
               (lambda (leave)
                 (with-exception-handler
                   (lambda (e)
                     (leave (list 'raised
                                  (if (error-object? e)
                                      (condition/report-string e)
                                      e))))
                   thunk)))))
    (if (not (same? got expected))
        (report-failure expression expected got))))

(define-syntax test
  (syntax-rules ()
    ((_ expected expression)
     (check 'expression expected (lambda () expression)))))

(define-syntax test-error
  (syntax-rules ()
    ((_ expression)
     (begin
       (set! checks (+ checks 1))
       (let ((got (call/cc
                    (lambda (leave)
                      (with-exception-handler
                        (lambda (e) (leave 'raised))
                        (lambda () (list 'returned expression)))))))
         (if (not (eq? got 'raised))
             (report-failure 'expression 'an-error got)))))))

;; Several values as a list.
(define-syntax values-of
  (syntax-rules ()
    ((_ expression) (call-with-values (lambda () expression) list))))

;; Whether evaluating the datum is refused before it runs.
(define (refused? datum)
  (guard (e (#t (error-object? e)))
    (eval datum (interaction-environment))
    #f))

(define (output-of thunk)
  (let ((port (open-output-string)))
    (thunk port)
    (get-output-string port)))

(define (finish)
  (display checks)
  (display " checks, ")
  (display failures)
  (display " failed")
  (newline)
  (exit (if (= failures 0) 0 70)))
