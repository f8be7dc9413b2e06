#include "ssh_keygen.hpp"

#include "terminal.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

extern char** environ;  // NOLINT: POSIX has it so

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxSignature = 65536;

class Pipe {
 public:
  static Result<Pipe> make() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return io_error("cannot make a pipe", errno);
    return Pipe(ends[0], ends[1]);
  }
  Pipe(Pipe&& other) noexcept
      : read_(std::exchange(other.read_, -1)), write_(std::exchange(other.write_, -1)) {}
  Pipe& operator=(Pipe&&) = delete;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    end_reading();
    end_writing();
  }

  int read_end() const noexcept { return read_; }
  int write_end() const noexcept { return write_; }
  void end_reading() { end(read_); }
  void end_writing() { end(write_); }

 private:
  Pipe(int read, int write) : read_(read), write_(write) {}
  static void end(int& descriptor) {
    if (descriptor >= 0) (void)close(std::exchange(descriptor, -1));
  }

  int read_;
  int write_;
};

class Actions {
 public:
  Actions() { (void)posix_spawn_file_actions_init(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { (void)posix_spawn_file_actions_destroy(&actions_); }
  void put(int descriptor, int as) {
    (void)posix_spawn_file_actions_adddup2(&actions_, descriptor, as);
  }
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// What is signed is shorter than a pipe takes at once, or ssh-keygen reads it meanwhile.
Result<void> write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(descriptor, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return io_error("cannot write to ssh-keygen", errno);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<std::string> read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < kMaxSignature) {
    const ssize_t got = read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read from ssh-keygen", errno);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

Result<void> await_success(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return io_error("cannot wait for ssh-keygen", errno);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error(ErrorCode::kUnavailable, "ssh-keygen did not sign (see above)");
}

}  // namespace

Result<std::string> sign_with(const std::string& identity, std::string_view name_space,
                              std::string_view text) {
  QUIETUS_TRY_AS(Pipe input, Pipe::make());
  QUIETUS_TRY_AS(Pipe output, Pipe::make());
  Actions actions;
  actions.put(input.read_end(), STDIN_FILENO);
  actions.put(output.write_end(), STDOUT_FILENO);
  std::array<std::string, 8> words = {
      "ssh-keygen", "-q", "-Y", "sign", "-n", std::string(name_space), "-f", identity};
  std::array<char*, 9> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, "ssh-keygen", actions.get(), nullptr, argv.data(), environ);
  if (failed != 0)
    return Error(
        ErrorCode::kUnavailable,
        io_error("cannot start ssh-keygen (Debian package openssh-client)", failed).context());
  input.end_reading();
  output.end_writing();
  const Result<void> written = write_all(input.write_end(), text);
  input.end_writing();
  auto signature = read_all(output.read_end());
  QUIETUS_TRY(await_success(child));
  QUIETUS_TRY(written);
  return signature;
}

}  // namespace quietus::cli
