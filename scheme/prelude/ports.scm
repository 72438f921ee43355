;; Ports.

(define (call-with-port port f)
  (let ((v (f port)))
    (close-port port)
    v))

(define (call-with-input-file name f) (call-with-port (open-input-file name) f))

(define (call-with-output-file name f) (call-with-port (open-output-file name) f))

(define (with-input-from-file name thunk)
  (let ((port (open-input-file name)))
    (let ((v (%parameterize (list (cons current-input-port port)) thunk)))
      (close-port port)
      v)))

(define (with-output-to-file name thunk)
  (let ((port (open-output-file name)))
    (let ((v (%parameterize (list (cons current-output-port port)) thunk)))
      (close-port port)
      v)))

(define (call-with-output-string f)
  (let ((port (open-output-string)))
    (f port)
    (get-output-string port)))

(define (with-output-to-string thunk)
  (let ((port (open-output-string)))
    (%parameterize (list (cons current-output-port port)) thunk)
    (get-output-string port)))

(define (load name . environment)
  (let ((port (open-input-file name))
        (environment (if (pair? environment) (car environment) (interaction-environment))))
    (%look-ahead port environment)
    (let loop ()
      (let ((thunk (%compile-next port environment)))
        (if (eof-object? thunk)
            (close-port port)
            (begin (thunk) (loop)))))))
