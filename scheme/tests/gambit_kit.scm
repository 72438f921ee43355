;; What the programs of Gambit's bench/src take for granted. Each is run once and checks its answer.
(define-syntax define-aliases
  (syntax-rules ()
    ((_ (alias name) ...)
     (begin (define-syntax alias (syntax-rules () ((_ . operands) (name . operands)))) ...))))

(define-aliases
  (FLOAT+ +) (FLOAT- -) (FLOAT* *) (FLOAT/ /) (FLOAT= =) (FLOAT< <) (FLOAT<= <=) (FLOAT> >)
  (FLOAT>= >=) (FLOATnegative? negative?) (FLOATpositive? positive?) (FLOATzero? zero?)
  (FLOATabs abs) (FLOATsin sin) (FLOATcos cos) (FLOATatan atan) (FLOATsqrt sqrt) (FLOATmin min)
  (FLOATmax max) (FLOATround round) (FLOATinexact->exact exact)
  (FLOATvector? vector?) (FLOATvector vector) (FLOATmake-vector make-vector)
  (FLOATvector-ref vector-ref) (FLOATvector-set! vector-set!) (FLOATvector-length vector-length)
  (GENERIC+ +) (GENERIC- -) (GENERIC* *) (GENERIC/ /) (GENERICquotient quotient)
  (GENERICremainder remainder) (GENERICmodulo modulo) (GENERIC= =) (GENERIC< <) (GENERIC<= <=)
  (GENERIC> >) (GENERIC>= >=) (GENERICexpt expt))

(define-syntax FLOATvector-const (syntax-rules () ((_ . items) (list->vector 'items))))
(define-syntax nuc-const (syntax-rules () ((_ . items) (list->vector 'items))))

;; Two's complement of any length: beyond the last bit there is the sign's.
(define (bitwise f a b)
  (if (and (memv a '(0 -1)) (memv b '(0 -1)))
      (- (f (- a) (- b)))
      (+ (f (floor-remainder a 2) (floor-remainder b 2))
         (* 2 (bitwise f (floor-quotient a 2) (floor-quotient b 2))))))
(define (fold-bits f start)
  (lambda operands
    (let loop ((result start) (rest operands))
      (if (null? rest) result (loop (bitwise f result (car rest)) (cdr rest))))))
(define bitwise-or (fold-bits max 0))
(define bitwise-and (fold-bits * -1))
(define (bitwise-not a) (- -1 a))

(define (call-with-output-file/truncate file receiver) (call-with-output-file file receiver))
(define (fatal-error . reasons) (write reasons) (newline) (exit 1))

(define (run-benchmark name count right? make-run . arguments)
  (let ((result ((apply make-run arguments))))
    (display (if (right? result) "RIGHT" "WRONG"))
    (newline)
    (exit (right? result))))
