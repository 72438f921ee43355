/// Bytes as a Scheme program: pieces of programs put together, in a small heap that is verified.
/// Whatever the program does, it ends with a value or an error.

#include <sys/time.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include "fuzz/driver.hpp"
#include "scheme/driver.hpp"
#include "scheme/ports.hpp"

namespace besom::fuzz {

const std::size_t kMostInputBytes = 1 << 10;

namespace {

std::array<Counter, 4> events{{{"programs"}, {"values"}, {"errors"}, {"heap exhausted"}}};

/// What the text is made of; a byte beyond them stands for itself.
constexpr const char* kPieces[] = {"(",
                                   ")",
                                   " ",
                                   "(define ",
                                   "(lambda (x) ",
                                   "(let loop ((i 0)) ",
                                   "(if ",
                                   "(begin ",
                                   "'",
                                   "`",
                                   ",",
                                   ",@",
                                   "(quote ",
                                   "(set! x ",
                                   "(let ((x ",
                                   "))",
                                   "x",
                                   "y",
                                   "i",
                                   "car",
                                   "cdr",
                                   "cons",
                                   "(call/cc (lambda (k) ",
                                   "(k 1)",
                                   "(dynamic-wind ",
                                   "(with-exception-handler ",
                                   "(raise ",
                                   "(guard (e (#t e)) ",
                                   "(error \"m\" ",
                                   "(values 1 2)",
                                   "(call-with-values ",
                                   "(apply ",
                                   "list",
                                   "vector",
                                   "(vector-ref #(1 2) ",
                                   "\"text\"",
                                   "#\\a",
                                   "1",
                                   "-1",
                                   "0.5",
                                   "1e300",
                                   "536870911",
                                   "9223372036854775807",
                                   "(+ ",
                                   "(- ",
                                   "(* ",
                                   "(quotient ",
                                   "(< ",
                                   "#t",
                                   "#f",
                                   "()",
                                   "(define-syntax m (syntax-rules () ((_ a ...) (list a ... ",
                                   "(m ",
                                   "...",
                                   "(loop (+ i 1))",
                                   "(define-record-type r (make-r a) r? (a r-a)) ",
                                   "(make-r ",
                                   "(r-a ",
                                   "(string-append ",
                                   "(make-string ",
                                   "(make-vector ",
                                   "(eval ",
                                   "(read (open-input-string ",
                                   "(delay ",
                                   "(force ",
                                   "(parameterize ((current-output-port (open-output-string))) ",
                                   "(display ",
                                   "(write ",
                                   "#u8(1 2)",
                                   "(case x ((1) ",
                                   "(cond (x => ",
                                   "(else ",
                                   "(do ((i 0 (+ i 1))) ((= i 9) ",
                                   "(map ",
                                   "(for-each ",
                                   "(define-values (a . b) ",
                                   "(let-values (((a b) ",
                                   "(letrec ((f (lambda () ",
                                   "(import (only (scheme base) ",
                                   "(case-lambda ((a) a) ((a . b) ",
                                   "#0=",
                                   "#0#",
                                   ".",
                                   "|a b|",
                                   "(hash-table-set! h ",
                                   "(make-hash-table)",
                                   "(gc)",
                                   "(list-tail ",
                                   "(string->number ",
                                   "(exact ",
                                   "(expt ",
                                   "(let-syntax ((",
                                   "(interaction-environment)",
                                   "#;",
                                   "#|",
                                   "|#",
                                   ";",
                                   "\n"};

/// Ends programs that take more than a tenth of a second: by CPU time, since nothing counts
/// the steps of a program. The alarm by the clock is that of libFuzzer, for what this cannot end.
class Stopper {
 public:
  explicit Stopper(scheme::Interp& in) {
    running = &in;
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (running != nullptr) running->stop();
    };
    sigaction(SIGVTALRM, &action, nullptr);
    const itimerval soon{{0, 100'000}, {0, 100'000}};
    setitimer(ITIMER_VIRTUAL, &soon, nullptr);
  }
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;
  ~Stopper() {
    const itimerval never{};
    setitimer(ITIMER_VIRTUAL, &never, nullptr);
    running = nullptr;
  }

 private:
  static inline scheme::Interp* running = nullptr;
};

/// Parentheses are balanced, so that more than the reader is reached. What begins with a comment is
/// a program as it stands: files of programs are a corpus.
std::string program_of(const std::uint8_t* data, std::size_t size) {
  if (size != 0 && data[0] == ';') return {data, data + size};
  std::string text;
  int depth = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char byte[] = {static_cast<char>(data[i]), 0};
    const std::string_view piece =
        data[i] < 2 * std::size(kPieces) ? kPieces[data[i] % std::size(kPieces)] : byte;
    for (const char c : piece) {
      if (c == ')' && depth == 0) continue;
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      text += c;
    }
    // Long programs are many forms, not one.
    if (depth > 12) text.append(static_cast<std::size_t>(std::exchange(depth, 0)), ')');
  }
  return text.append(static_cast<std::size_t>(depth), ')');
}

}  // namespace

std::span<const Counter> counters() { return events; }

}  // namespace besom::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using besom::fuzz::events;
  besom::HeapOptions options;
  options.read_environment = false;
  options.log = besom::LogLevel::off;
  options.heap_max = 2 << 20;
  options.generational = size % 2 == 1;
  options.incremental = size % 3 == 1;
  options.slice = 50;
  auto heap = besom::Heap::create(options);
  if (!heap) throw std::runtime_error(heap.error().message());
  {
    scheme::Interp in(**heap);
    // What programs print is kept in the heap, and is one more thing that fills it.
    in.at<scheme::Parameter>(in.registers.output)
        ->value.set(scheme::memory_port(in, scheme::kOutputPort | scheme::kTextualPort));
    const besom::fuzz::Stopper stopper(in);
    const scheme::Rooted port(in,
                              scheme::text_port(in, besom::fuzz::program_of(data, size), "fuzz"));
    for (;;) {
      const scheme::FormResult result = scheme::run_form(in, port.get());
      if (result.outcome.code == scheme::kFine && result.value == scheme::kEof) break;
      ++events[result.outcome.code == scheme::kFine            ? 1
               : result.outcome.code == scheme::kHeapExhausted ? 3
                                                               : 2]
            .count;
      if (result.outcome.is_over) break;
    }
  }
  if (!verify(**heap).ok()) throw std::runtime_error("the heap is damaged");
  ++events[0].count;
  return 0;
}
