#include "passphrase_prompt.hpp"

#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

namespace quietus::cli {

// One page, so that locking it locks nothing else.
struct alignas(4096) Passphrase::Line {
  std::array<char, 4000> text{};
  std::size_t size = 0;
};

void Passphrase::Wipe::operator()(Line* line) const noexcept {
  explicit_bzero(line->text.data(), line->text.size());
  (void)munlock(line, sizeof(*line));
  delete line;
}

namespace {

volatile std::sig_atomic_t interrupted_by = 0;
void remember_signal(int number) {
  interrupted_by = number;
}

constexpr std::array kInterrupting{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// The terminal with echo off, and back as it was at the end, also when a signal ends the wait:
// signals are let in only while waiting, so that none slips by before.
class QuietTerminal {
 public:
  QuietTerminal() : descriptor_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (descriptor_ < 0 || tcgetattr(descriptor_, &before_) != 0) return;
    hold_signals();
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet_ = tcsetattr(descriptor_, TCSAFLUSH, &quiet) == 0;
    if (!quiet_) release_signals();
  }
  ~QuietTerminal() {
    if (quiet_) {
      (void)tcsetattr(descriptor_, TCSAFLUSH, &before_);
      release_signals();
    }
    if (descriptor_ >= 0) (void)close(descriptor_);
    if (interrupted_by != 0) (void)raise(interrupted_by);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  QuietTerminal(QuietTerminal&&) = delete;
  QuietTerminal& operator=(QuietTerminal&&) = delete;

  bool quiet() const noexcept { return quiet_; }
  void show(std::string_view text) const { (void)!write(descriptor_, text.data(), text.size()); }

  // The next byte; 0 at the end of input and after a signal.
  char next() const {
    pollfd input{descriptor_, POLLIN, 0};
    char c = 0;
    const bool there = interrupted_by == 0 && ppoll(&input, 1, nullptr, &mask_) == 1;
    return there && read(descriptor_, &c, 1) == 1 ? c : '\0';
  }

 private:
  void hold_signals() {
    interrupted_by = 0;
    sigset_t held;
    sigemptyset(&held);
    for (const int number : kInterrupting) sigaddset(&held, number);
    (void)pthread_sigmask(SIG_BLOCK, &held, &mask_);
    struct sigaction note {};
    note.sa_handler = remember_signal;
    for (std::size_t i = 0; i < kInterrupting.size(); ++i)
      (void)sigaction(kInterrupting[i], &note, &handlers_[i]);
  }
  void release_signals() {
    // What came in while nobody waited is taken note of before the handlers go.
    (void)pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    for (std::size_t i = 0; i < kInterrupting.size(); ++i)
      (void)sigaction(kInterrupting[i], &handlers_[i], nullptr);
  }

  int descriptor_;
  bool quiet_ = false;
  termios before_{};
  sigset_t mask_{};
  std::array<struct sigaction, kInterrupting.size()> handlers_{};
};

}  // namespace

Result<Passphrase> Passphrase::ask(std::string_view question) {
  const QuietTerminal terminal;
  if (!terminal.quiet())
    return Error(ErrorCode::kWrongKey,
                 "no key file or passphrase file was named, and there is no terminal to ask on");
  std::unique_ptr<Line, Wipe> line(new Line);
  (void)mlock(line.get(), sizeof(Line));
  terminal.show(std::string(question) + ": ");
  char c = terminal.next();
  while (c != '\0' && c != '\n' && line->size < line->text.size()) {
    line->text[line->size++] = c;
    c = terminal.next();
  }
  terminal.show("\n");
  if (c == '\0') return Error(ErrorCode::kRefused, "no passphrase was given");
  if (c != '\n') return Error(ErrorCode::kInvalidArgument, "the passphrase is too long");
  return Passphrase(std::move(line));
}

Result<Passphrase> Passphrase::ask_new(std::string_view question) {
  QUIETUS_TRY_AS(Passphrase first, ask(question));
  if (first.line_->size == 0)
    return Error(ErrorCode::kInvalidArgument, "the passphrase must not be empty");
  QUIETUS_TRY_AS(const Passphrase again, ask("The same again"));
  if (first.line_->size != again.line_->size ||
      std::memcmp(first.line_->text.data(), again.line_->text.data(), first.line_->size) != 0)
    return Error(ErrorCode::kInvalidArgument, "the two passphrases differ");
  return first;
}

Result<int> Passphrase::as_pipe() const {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return io_error("cannot make a pipe", errno);
  // A pipe holds at least one page, so this write does not block.
  const bool written =
      write(ends[1], line_->text.data(), line_->size) == static_cast<ssize_t>(line_->size) &&
      write(ends[1], "\n", 1) == 1;
  close(ends[1]);
  if (written) return ends[0];
  close(ends[0]);
  return Error(ErrorCode::kIo, "cannot hand over the passphrase");
}

}  // namespace quietus::cli
