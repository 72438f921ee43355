;; Exceptions, winders, parameters, promises.
;;
;; What calls procedures that it was given is written in Scheme, so that continuations captured
;; inside are whole. Several values are one object on their way through a variable, which is why
;; `(let ((v (thunk))) ... v)` passes any number of them on.

;; %handlers is the list of handlers in force.
(define (raise object)
  (let ((handlers (%handlers)))
    (if (null? handlers)
        (%uncaught object)
        (begin
          (%set-handlers! (cdr handlers))
          ((car handlers) object)
          (%handler-returned object)))))

(define (raise-continuable object)
  (let ((handlers (%handlers)))
    (if (null? handlers)
        (%uncaught object)
        (begin
          (%set-handlers! (cdr handlers))
          (let ((v ((car handlers) object)))
            (%set-handlers! handlers)
            v)))))

(define (with-exception-handler handler thunk)
  (%check-procedure handler 'with-exception-handler)
  (let ((old (%handlers)))
    (%set-handlers! (cons handler old))
    (let ((v (thunk)))
      (%set-handlers! old)
      v)))

;; The clauses run in the context of the guard; to raise again, the context of the raise is
;; gone back to, unless there is no memory to keep it.
(define (%guard thunk handler has-else)
  ((call/cc
     (lambda (leave)
       (with-exception-handler
         (lambda (condition)
           (if (or has-else (%exhausted? condition))
               (leave (lambda ()
                        (handler condition (lambda () (raise-continuable condition)))))
               ((call/cc
                  (lambda (return)
                    (leave (lambda ()
                             (handler condition
                                      (lambda ()
                                        (return
                                          (lambda () (raise-continuable condition))))))))))))
         (lambda () (let ((v (thunk))) (lambda () v))))))))

;; Winders: (before after . handlers), innermost first. Both procedures run with the handlers
;; that were in force around them.
(define (dynamic-wind before thunk after)
  (before)
  (%set-winders! (cons (cons before (cons after (%handlers))) (%winders)))
  (let ((v (thunk)))
    (%set-winders! (cdr (%winders)))
    (after)
    v))

(define (%wind-to target)
  (let ((common (%common-tail (%winders) target)))
    (let unwind ((winders (%winders)))
      (if (not (eq? winders common))
          (begin
            (%set-winders! (cdr winders))
            (%set-handlers! (cddr (car winders)))
            ((cadr (car winders)))
            (unwind (cdr winders)))))
    (let rewind ((winders target))
      (if (not (eq? winders common))
          (begin
            (rewind (cdr winders))
            (%set-handlers! (cddr (car winders)))
            ((caar winders))
            (%set-winders! winders))))))

(define (%rewind continuation . vals)
  (%wind-to (%continuation-winders continuation))
  (%throw continuation (apply values vals)))

(define (exit . args) (%wind-to '()) (apply emergency-exit args))

(define (call-with-values producer consumer) (%apply-values consumer (producer)))

(define (call-with-escape-continuation receiver) (call/cc receiver))

(define (make-parameter value . converter)
  (if (null? converter)
      (%make-parameter value #f)
      (%make-parameter ((car converter) value) (car converter))))

(define (%parameterize bindings thunk)
  (let convert ((rest bindings))
    (if (pair? rest)
        (let ((converter (%parameter-converter (caar rest))))
          (if converter (set-cdr! (car rest) (converter (cdar rest))))
          (convert (cdr rest)))))
  (let ((swap (lambda ()
                (let loop ((rest bindings))
                  (if (pair? rest)
                      (let ((old ((caar rest))))
                        (%set-parameter! (caar rest) (cdar rest))
                        (set-cdr! (car rest) old)
                        (loop (cdr rest))))))))
    (dynamic-wind swap thunk swap)))

(define (force promise)
  (if (promise? promise)
      (let loop ()
        (let ((state (%promise-state promise)))
          (if (car state)
              (cdr state)
              (let* ((next ((cdr state)))
                     (state (%promise-state promise)))
                (if (car state)
                    (cdr state)
                    (begin
                      (%promise-join! promise next)
                      (loop)))))))
      promise))
