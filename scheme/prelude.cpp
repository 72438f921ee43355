#include "prelude.hpp"

#include <iterator>

namespace scheme {
namespace {

struct Entry {
  const char* name;
  std::string_view text;
};

/// Procedures that call others, so that continuations captured inside are whole. Several values are
/// one object on their way through a variable, which is why `(let ((v (thunk))) ... v)` passes any
/// number of them on.
constexpr Entry kPrelude[] = {
    // Exceptions. %handlers is the list of handlers in force.
    {"raise", R"((lambda (object)
       (let ((handlers (%handlers)))
         (if (null? handlers)
             (%uncaught object)
             (begin
               (%set-handlers! (cdr handlers))
               ((car handlers) object)
               (%handler-returned object))))))"},
    {"raise-continuable", R"((lambda (object)
       (let ((handlers (%handlers)))
         (if (null? handlers)
             (%uncaught object)
             (begin
               (%set-handlers! (cdr handlers))
               (let ((v ((car handlers) object)))
                 (%set-handlers! handlers)
                 v))))))"},
    {"with-exception-handler", R"((lambda (handler thunk)
       (%check-procedure handler 'with-exception-handler)
       (let ((old (%handlers)))
         (%set-handlers! (cons handler old))
         (let ((v (thunk)))
           (%set-handlers! old)
           v))))"},
    // The clauses run in the context of the guard; to raise again, the context of the raise is
    // gone back to, unless there is no memory to keep it.
    {"%guard", R"((lambda (thunk handler has-else)
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
              (lambda () (let ((v (thunk))) (lambda () v)))))))))"},
    // Winders: (before after . handlers), innermost first. Both procedures run with the handlers
    // that were in force around them.
    {"dynamic-wind", R"((lambda (before thunk after)
       (before)
       (%set-winders! (cons (cons before (cons after (%handlers))) (%winders)))
       (let ((v (thunk)))
         (%set-winders! (cdr (%winders)))
         (after)
         v)))"},
    {"%wind-to", R"((lambda (target)
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
                 (%set-winders! winders)))))))"},
    {"%rewind", R"((lambda (continuation . vals)
       (%wind-to (%continuation-winders continuation))
       (%throw continuation (apply values vals))))"},
    {"exit", R"((lambda args (%wind-to '()) (apply emergency-exit args)))"},
    {"call-with-values", R"((lambda (producer consumer) (%apply-values consumer (producer))))"},
    {"call-with-escape-continuation", R"((lambda (receiver) (call/cc receiver)))"},
    {"make-parameter", R"((lambda (value . converter)
       (if (null? converter)
           (%make-parameter value #f)
           (%make-parameter ((car converter) value) (car converter)))))"},
    {"%parameterize", R"((lambda (bindings thunk)
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
         (dynamic-wind swap thunk swap))))"},
    {"force", R"((lambda (promise)
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
           promise)))"},
    // Lists.
    {"map", R"((case-lambda
       ((f list)
        (let map1 ((list list))
          (if (pair? list)
              (let ((v (f (car list)))) (cons v (map1 (cdr list))))
              (if (null? list) '() (%check-ends list)))))
       ((f a b)
        (let map2 ((a a) (b b))
          (if (and (pair? a) (pair? b))
              (let ((v (f (car a) (car b)))) (cons v (map2 (cdr a) (cdr b))))
              (begin (%check-ends a b) '()))))
       ((f . lists) (let ((v (%map-lists f lists))) v))))"},
    {"%map-lists", R"((lambda (f lists)
       (let mapn ((lists lists))
         (if (%all-pairs? lists)
             (let ((v (apply f (%cars lists)))) (cons v (mapn (%cdrs lists))))
             (begin (%check-lists lists) '())))))"},
    {"for-each", R"((case-lambda
       ((f list)
        (let loop ((list list))
          (if (pair? list)
              (begin (f (car list)) (loop (cdr list)))
              (if (not (null? list)) (%check-ends list)))))
       ((f a b)
        (let loop ((a a) (b b))
          (if (and (pair? a) (pair? b))
              (begin (f (car a) (car b)) (loop (cdr a) (cdr b)))
              (%check-ends a b))))
       ((f . lists) (let ((v (%for-each-lists f lists))) v))))"},
    {"%for-each-lists", R"((lambda (f lists)
       (let loop ((lists lists))
         (if (%all-pairs? lists)
             (begin (apply f (%cars lists)) (loop (%cdrs lists)))
             (%check-lists lists)))))"},
    {"append-map", R"((case-lambda
       ((f list) (%append-all (map f list)))
       ((f . lists) (%append-all (%map-lists f lists)))))"},
    {"member", R"((case-lambda
       ((x list) (%member x list))
       ((x list same?)
        (let loop ((list list))
          (cond ((not (pair? list)) (%check-ends list) #f)
                ((same? x (car list)) list)
                (else (loop (cdr list))))))))"},
    {"assoc", R"((case-lambda
       ((x list) (%assoc x list))
       ((x list same?)
        (let loop ((list list))
          (cond ((not (pair? list)) (%check-ends list) #f)
                ((same? x (caar list)) (car list))
                (else (loop (cdr list))))))))"},
    {"filter", R"((lambda (keep? list)
       (let loop ((list list) (kept '()))
         (if (pair? list)
             (loop (cdr list) (if (keep? (car list)) (cons (car list) kept) kept))
             (begin (%check-ends list) (reverse kept))))))"},
    {"fold", R"((case-lambda
       ((f init list)
        (let loop ((list list) (acc init))
          (if (pair? list)
              (loop (cdr list) (f (car list) acc))
              (begin (%check-ends list) acc))))
       ((f init a b)
        (let loop ((a a) (b b) (acc init))
          (if (and (pair? a) (pair? b))
              (loop (cdr a) (cdr b) (f (car a) (car b) acc))
              (begin (%check-ends a b) acc))))))"},
    {"fold-left", R"((lambda (f init list)
       (let loop ((list list) (acc init))
         (if (pair? list)
             (loop (cdr list) (f acc (car list)))
             (begin (%check-ends list) acc)))))"},
    {"fold-right", R"((lambda (f init list)
       (let loop ((list (reverse list)) (acc init))
         (if (pair? list) (loop (cdr list) (f (car list) acc)) acc))))"},
    {"reduce", R"((lambda (f init list)
       (if (null? list)
           init
           (let loop ((list (cdr list)) (acc (car list)))
             (if (pair? list)
                 (loop (cdr list) (f (car list) acc))
                 (begin (%check-ends list) acc))))))"},
    {"delete", R"((lambda (x list)
       (let ((v (filter (lambda (y) (not (equal? x y))) list))) v)))"},
    {"any", R"((lambda (f list)
       (let loop ((list list))
         (if (pair? list)
             (or (f (car list)) (loop (cdr list)))
             (begin (%check-ends list) #f)))))"},
    {"every", R"((lambda (f list)
       (let loop ((list list) (last #t))
         (if (pair? list)
             (let ((v (f (car list)))) (and v (loop (cdr list) v)))
             (begin (%check-ends list) last)))))"},
    {"sort", R"((lambda (items less?)
       (define (merge a b)
         (let loop ((a a) (b b) (merged '()))
           (cond ((null? a) (append-reverse merged b))
                 ((null? b) (append-reverse merged a))
                 ((less? (car b) (car a)) (loop a (cdr b) (cons (car b) merged)))
                 (else (loop (cdr a) b (cons (car a) merged))))))
       (define (sort-first list n)
         (if (= n 1)
             (cons (car list) '())
             (let ((half (quotient n 2)))
               (merge (sort-first list half) (sort-first (list-tail list half) (- n half))))))
       (cond ((null? items) '())
             ((vector? items) (list->vector (sort (vector->list items) less?)))
             (else (sort-first items (length items))))))"},
    {"list-sort", R"((lambda (less? items) (let ((v (sort items less?))) v)))"},
    // Vectors and strings.
    {"vector-map", R"((case-lambda
       ((f vector)
        (let loop ((i (- (vector-length vector) 1)) (values '()))
          (if (< i 0)
              (list->vector values)
              (loop (- i 1) (cons (f (vector-ref vector i)) values)))))
       ((f . vectors) (list->vector (%map-lists f (%vectors->lists vectors))))))"},
    {"vector-for-each", R"((case-lambda
       ((f vector)
        (let ((n (vector-length vector)))
          (let loop ((i 0))
            (if (< i n)
                (begin (f (vector-ref vector i)) (loop (+ i 1)))))))
       ((f . vectors) (let ((v (%for-each-lists f (%vectors->lists vectors)))) v))))"},
    {"string-map", R"((case-lambda
       ((f string) (list->string (map f (string->list string))))
       ((f . strings) (list->string (%map-lists f (%strings->lists strings))))))"},
    {"string-for-each", R"((case-lambda
       ((f string)
        (let ((n (string-length string)))
          (let loop ((i 0))
            (if (< i n)
                (begin (f (string-ref string i)) (loop (+ i 1)))))))
       ((f . strings) (let ((v (%for-each-lists f (%strings->lists strings)))) v))))"},
    {"string-count", R"((lambda (string good?)
       (let loop ((list (string->list string)) (n 0))
         (if (pair? list) (loop (cdr list) (if (good? (car list)) (+ n 1) n)) n))))"},
    // Ports.
    {"call-with-port", R"((lambda (port f)
       (let ((v (f port)))
         (close-port port)
         v)))"},
    {"call-with-input-file", R"((lambda (name f) (call-with-port (open-input-file name) f)))"},
    {"call-with-output-file", R"((lambda (name f) (call-with-port (open-output-file name) f)))"},
    {"with-input-from-file", R"((lambda (name thunk)
       (let ((port (open-input-file name)))
         (let ((v (%parameterize (list (cons current-input-port port)) thunk)))
           (close-port port)
           v))))"},
    {"with-output-to-file", R"((lambda (name thunk)
       (let ((port (open-output-file name)))
         (let ((v (%parameterize (list (cons current-output-port port)) thunk)))
           (close-port port)
           v))))"},
    {"call-with-output-string", R"((lambda (f)
       (let ((port (open-output-string)))
         (f port)
         (get-output-string port))))"},
    {"with-output-to-string", R"((lambda (thunk)
       (let ((port (open-output-string)))
         (%parameterize (list (cons current-output-port port)) thunk)
         (get-output-string port))))"},
    {"load", R"((lambda (name . environment)
       (let ((port (open-input-file name))
             (environment (if (pair? environment) (car environment) (interaction-environment))))
         (%look-ahead port environment)
         (let loop ()
           (let ((thunk (%compile-next port environment)))
             (if (eof-object? thunk)
                 (close-port port)
                 (begin (thunk) (loop))))))))"},
    // SRFI 69. Tables with the program's own procedures have lists of entries, by hash.
    {"%own-hash", R"((lambda (own key)
       (let ((hash (cdr own)))
         (if (%accepts? hash 2) (hash key 536870912) (hash key)))))"},
    {"%own-entry", R"((lambda (table key)
       (let ((own (%table-procedures table)))
         (assoc key (%table-ref table (%own-hash own key) '()) (car own)))))"},
    {"%own-hash-table-ref/default", R"((lambda (table key default)
       (let ((entry (%own-entry table key)))
         (if entry (cdr entry) default))))"},
    {"%own-hash-table-exists?", R"((lambda (table key) (pair? (%own-entry table key))))"},
    {"%own-hash-table-set!", R"((lambda (table key value)
       (let* ((own (%table-procedures table))
              (hash (%own-hash own key))
              (entries (%table-ref table hash '()))
              (entry (assoc key entries (car own))))
         (if entry
             (set-cdr! entry value)
             (%table-set! table hash (cons (cons key value) entries))))))"},
    {"%own-hash-table-delete!", R"((lambda (table key)
       (let* ((own (%table-procedures table))
              (hash (%own-hash own key))
              (entries (%table-ref table hash '()))
              (entry (assoc key entries (car own))))
         (cond ((not entry))
               ((null? (cdr entries)) (%table-delete! table hash))
               (else (%table-set! table hash
                                  (filter (lambda (other) (not (eq? other entry))) entries)))))))"},
    {"hash-table-contains?", R"((lambda (table key)
       (let ((v (hash-table-exists? table key))) v)))"},
    {"hash-table-ref", R"((lambda (table key . options)
       (let ((v (hash-table-ref/default table key %nothing)))
         (cond ((not (eq? v %nothing))
                (if (and (pair? options) (pair? (cdr options))) ((cadr options) v) v))
               ((and (pair? options) (car options)) ((car options)))
               (else (%no-such-key key))))))"},
    {"hash-table-update!", R"((lambda (table key f . options)
       (let ((old (hash-table-ref table key (if (pair? options) (car options) #f))))
         (hash-table-set! table key (f old)))))"},
    {"hash-table-update!/default", R"((lambda (table key f default)
       (hash-table-set! table key (f (hash-table-ref/default table key default)))))"},
    {"hash-table-walk", R"((lambda (table f)
       (for-each (lambda (entry) (f (car entry) (cdr entry))) (hash-table->alist table))))"},
    {"hash-table-fold", R"((lambda (table f init)
       (let loop ((entries (hash-table->alist table)) (acc init))
         (if (pair? entries)
             (loop (cdr entries) (f (caar entries) (cdar entries) acc))
             acc))))"},
    {"hash-table-merge!", R"((lambda (to from)
       (hash-table-walk from (lambda (key value) (let ((v (hash-table-set! to key value))) v)))
       to))"},
    {"alist->hash-table", R"((lambda (alist . options)
       (let ((table (apply make-hash-table options)))
         (for-each (lambda (entry)
                     (if (not (hash-table-exists? table (car entry)))
                         (hash-table-set! table (car entry) (cdr entry))))
                   alist)
         table)))"},
};

}  // namespace

std::string_view prelude_text(std::string_view name) noexcept {
  for (const Entry& entry : kPrelude) {
    if (name == entry.name) return entry.text;
  }
  return {};
}

const char* prelude_name(std::size_t number) noexcept {
  return number < std::size(kPrelude) ? kPrelude[number].name : nullptr;
}

}  // namespace scheme
