;; An evaluator for a small Scheme, written in Scheme, which runs a program that computes primes.
(import (scheme base) (scheme write))

(define (lookup name env)
  (cond ((null? env) (error "unbound variable" name))
        ((assq name (car env)) => (lambda (binding) binding))
        (else (lookup name (cdr env)))))

(define (extend names values env)
  (cons (let loop ((names names) (values values))
          (cond ((null? names) '())
                ((symbol? names) (list (cons names values)))
                (else (cons (cons (car names) (car values)) (loop (cdr names) (cdr values))))))
        env))

(define-record-type closure (make-closure params body env) closure?
  (params closure-params) (body closure-body) (env closure-env))

(define (evaluate form env)
  (cond ((symbol? form) (cdr (lookup form env)))
        ((not (pair? form)) form)
        (else
         (case (car form)
           ((quote) (cadr form))
           ((if) (if (evaluate (cadr form) env)
                     (evaluate (list-ref form 2) env)
                     (evaluate (list-ref form 3) env)))
           ((lambda) (make-closure (cadr form) (cddr form) env))
           ((define) (let ((value (evaluate (list-ref form 2) env)))
                       (set-car! env (cons (cons (cadr form) value) (car env)))))
           ((set!) (set-cdr! (lookup (cadr form) env) (evaluate (list-ref form 2) env)))
           ((begin) (evaluate-body (cdr form) env))
           ((let) (evaluate `((lambda ,(map car (cadr form)) ,@(cddr form)) ,@(map cadr (cadr form)))
                            env))
           (else (call (evaluate (car form) env)
                       (map (lambda (arg) (evaluate arg env)) (cdr form))))))))

(define (evaluate-body forms env)
  (if (null? (cdr forms))
      (evaluate (car forms) env)
      (begin (evaluate (car forms) env) (evaluate-body (cdr forms) env))))

(define (call procedure args)
  (if (closure? procedure)
      (evaluate-body (closure-body procedure)
                     (extend (closure-params procedure) args (closure-env procedure)))
      (apply procedure args)))

(define global
  (list (list (cons '+ +) (cons '- -) (cons '* *) (cons '< <) (cons '= =) (cons 'cons cons)
              (cons 'car car) (cons 'cdr cdr) (cons 'null? null?) (cons 'remainder remainder)
              (cons 'list list))))

(define program
  '(begin
     (define range (lambda (a b) (if (< b a) '() (cons a (range (+ a 1) b)))))
     (define filter
       (lambda (keep? items)
         (if (null? items) '()
             (if (keep? (car items))
                 (cons (car items) (filter keep? (cdr items)))
                 (filter keep? (cdr items))))))
     (define sieve
       (lambda (items)
         (if (null? items) '()
             (let ((p (car items)))
               (cons p (sieve (filter (lambda (n) (if (= 0 (remainder n p)) #f #t)) (cdr items))))))))
     (sieve (range 2 100))))

(write (evaluate program global))
(newline)
