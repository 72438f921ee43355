;; SRFI 69. Tables with the program's own procedures have lists of entries, by hash.
(define (%own-hash own key)
  (let ((hash (cdr own)))
    (if (%accepts? hash 2) (hash key 536870912) (hash key))))

(define (%own-entry table key)
  (let ((own (%table-procedures table)))
    (assoc key (%table-ref table (%own-hash own key) '()) (car own))))

(define (%own-hash-table-ref/default table key default)
  (let ((entry (%own-entry table key)))
    (if entry (cdr entry) default)))

(define (%own-hash-table-exists? table key) (pair? (%own-entry table key)))

(define (%own-hash-table-set! table key value)
  (let* ((own (%table-procedures table))
         (hash (%own-hash own key))
         (entries (%table-ref table hash '()))
         (entry (assoc key entries (car own))))
    (if entry
        (set-cdr! entry value)
        (%table-set! table hash (cons (cons key value) entries)))))

(define (%own-hash-table-delete! table key)
  (let* ((own (%table-procedures table))
         (hash (%own-hash own key))
         (entries (%table-ref table hash '()))
         (entry (assoc key entries (car own))))
    (cond ((not entry))
          ((null? (cdr entries)) (%table-delete! table hash))
          (else (%table-set! table hash
                             (filter (lambda (other) (not (eq? other entry))) entries))))))

(define (hash-table-contains? table key)
  (let ((v (hash-table-exists? table key))) v))

(define (hash-table-ref table key . options)
  (let ((v (hash-table-ref/default table key %nothing)))
    (cond ((not (eq? v %nothing))
           (if (and (pair? options) (pair? (cdr options))) ((cadr options) v) v))
          ((and (pair? options) (car options)) ((car options)))
          (else (%no-such-key key)))))

(define (hash-table-update! table key f . options)
  (let ((old (hash-table-ref table key (if (pair? options) (car options) #f))))
    (hash-table-set! table key (f old))))

(define (hash-table-update!/default table key f default)
  (hash-table-set! table key (f (hash-table-ref/default table key default))))

(define (hash-table-walk table f)
  (for-each (lambda (entry) (f (car entry) (cdr entry))) (hash-table->alist table)))

(define (hash-table-fold table f init)
  (let loop ((entries (hash-table->alist table)) (acc init))
    (if (pair? entries)
        (loop (cdr entries) (f (caar entries) (cdar entries) acc))
        acc)))

(define (hash-table-merge! to from)
  (hash-table-walk from (lambda (key value) (let ((v (hash-table-set! to key value))) v)))
  to)

(define (alist->hash-table alist . options)
  (let ((table (apply make-hash-table options)))
    (for-each (lambda (entry)
                (if (not (hash-table-exists? table (car entry)))
                    (hash-table-set! table (car entry) (cdr entry))))
              alist)
    table))
