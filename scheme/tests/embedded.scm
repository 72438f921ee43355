;; Reads from standard input the Scheme text that is part of the program: prelude/*.scm and
;; standard_libraries.scm. Each procedure defined there is to be had, and each name that is exported.
(include "check.scm")

(define (helper? name) (char=? (string-ref (symbol->string name) 0) #\%))

(define (check-definition name)
  (if (not (helper? name))
      (check name #t (lambda () (procedure? (eval name (interaction-environment)))))))

(define (check-exports library names)
  (for-each (lambda (name)
              (check (list name 'of library) #t
                     (lambda () (environment (list 'only library name)) #t)))
            names))

(let loop ((form (read)))
  (if (not (eof-object? form))
      (let ((subject (cadr form)))
        (if (eq? (car form) 'define)
            (check-definition (if (pair? subject) (car subject) subject))
            (check-exports subject (cdr (caddr form))))
        (loop (read)))))
(test #t (> checks 0))

(finish)
