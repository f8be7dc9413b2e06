// seal, open, pseudonym: for data that is kept elsewhere.
#include "attach.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "progress.hpp"
#include "restricted_use.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kTokenBegin = 36;  // bytes from which the scope of a token is known
constexpr std::size_t kMaxValue = std::size_t{64} * 1024;

struct TokenCommand {
  std::string scope;
  std::string input = "-";
  std::string output;
  std::string use;  // of restricted data
};

// Runs `work` with a sink into a file, that appears whole or not at all, or into standard output;
// the number of bytes.
template <class Work>
Result<std::uint64_t> into(const std::string& output, Terminal& terminal, Work work) {
  std::uint64_t size = 0;
  if (output.empty() || output == "-") {
    QUIETUS_TRY(work([&](ByteView piece) {
      size += piece.size();
      return terminal.content(piece);
    }));
    return size;
  }
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(output));
  ProgressLine line("writing", "");
  const Progress progress = line.callback();
  QUIETUS_TRY(work([&](ByteView piece) {
    size += piece.size();
    if (progress) (void)progress(size, 0);
    return file.write(piece);
  }));
  QUIETUS_TRY(file.commit());
  return size;
}

Result<void> check_output(const TokenCommand& command, const Invocation& invocation) {
  if (invocation.terminal.json && (command.output.empty() || command.output == "-"))
    return Error(ErrorCode::kInvalidArgument,
                 "--json needs -o FILE: what is written is no JSON document");
  return {};
}

void tell(const TokenCommand& command, const std::string& scope, std::uint64_t size,
          Terminal& terminal) {
  if (terminal.json)
    terminal.document({{"scope_id", scope}, {"size_bytes", size}, {"file", command.output}});
}

// ---- seal, open -------------------------------------------------------------------------------

Result<ExitCode> run_seal(const TokenCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_output(command, invocation));
  QUIETUS_TRY_AS(InputFile input, InputFile::open(command.input));
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const Scope scope, open_scope(vault, command.scope, command.use));
  QUIETUS_TRY_AS(const std::uint64_t size,
                 into(command.output, invocation.terminal, [&](const ByteSink& sink) {
                   return scope.seal_stream(input.source(), sink).within(command.scope);
                 }));
  tell(command, hex16(scope.id()), size, invocation.terminal);
  return ExitCode::kDone;
}

Result<Scope> scope_of(Vault& vault, ByteView token, const std::string& use) {
  QUIETUS_TRY_AS(const auto lawful, parse_restricted_use(use));
  return lawful ? vault.scope_of(token, *lawful) : vault.scope_of(token);
}

Result<ExitCode> run_open(const TokenCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_output(command, invocation));
  QUIETUS_TRY_AS(InputFile input, InputFile::open(command.input));
  Bytes begin(kTokenBegin);
  QUIETUS_TRY_AS(const std::size_t got, input.read(begin));
  begin.resize(got);
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const Scope scope, scope_of(vault, begin, command.use).within(command.input));
  const ByteSource token = input.source_after(begin);
  QUIETUS_TRY_AS(const std::uint64_t size,
                 into(command.output, invocation.terminal, [&](const ByteSink& sink) {
                   return scope.open_stream(token, sink).within(command.input);
                 }));
  tell(command, hex16(scope.id()), size, invocation.terminal);
  return ExitCode::kDone;
}

// ---- pseudonym --------------------------------------------------------------------------------

// The lines of an input, one after the other; what is behind the last newline is one too.
class ValueLines {
 public:
  explicit ValueLines(InputFile& input) : input_(input) {}

  // No value at the end. The view is valid until the next call.
  Result<std::optional<ByteView>> next() {
    for (;;) {
      const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(used_);
      const auto end = std::find(begin, buffer_.end(), '\n');
      if (end != buffer_.end() || ended_) {
        if (begin == buffer_.end()) return std::optional<ByteView>();
        const ByteView line(begin, end);
        if (line.size() > kMaxValue) return too_long();
        used_ += line.size() + (end == buffer_.end() ? 0 : 1);
        return std::optional(line);
      }
      buffer_.erase(buffer_.begin(), begin);
      used_ = 0;
      if (buffer_.size() > kMaxValue) return too_long();
      QUIETUS_TRY(more());
    }
  }

 private:
  static Error too_long() {
    return {ErrorCode::kInvalidArgument, "a line of more than 65,536 bytes"};
  }

  Result<void> more() {
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kMaxValue + 1);
    QUIETUS_TRY_AS(const std::size_t got, input_.read(MutableBytes(buffer_).subspan(before)));
    buffer_.resize(before + got);
    ended_ = got <= kMaxValue;
    return {};
  }

  InputFile& input_;
  Bytes buffer_;
  std::size_t used_ = 0;
  bool ended_ = false;
};

Result<ExitCode> run_pseudonym(const TokenCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(InputFile input, InputFile::open(command.input));
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const Scope scope, open_scope(vault, command.scope, command.use));
  Json made = Json::array();
  ValueLines lines(input);
  for (;;) {
    QUIETUS_TRY_AS(const auto value, lines.next());
    if (!value) break;
    QUIETUS_TRY_AS(const Pseudonym pseudonym, scope.pseudonym(*value).within(command.scope));
    if (invocation.terminal.json)
      made.push_back(hex(pseudonym));
    else
      invocation.terminal.line(hex(pseudonym));
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"scope", command.scope}, {"pseudonyms", std::move(made)}});
  return ExitCode::kDone;
}

}  // namespace

void attach_token_commands(CLI::App& app, Action& chosen) {
  auto to_seal = std::make_shared<TokenCommand>();
  CLI::App& seal = *app.add_subcommand(
      "seal", "Seal data that is kept elsewhere; erasing the scope makes it unrecoverable there");
  seal.add_option("SCOPE", to_seal->scope, "")->required();
  seal.add_option("FILE", to_seal->input, "The data; - is standard input")->capture_default_str();
  seal.add_option("-o,--output", to_seal->output,
                  "Write the token to this file instead of standard output");
  add_restricted_use(seal, to_seal->use);
  on_chosen(seal, chosen, std::move(to_seal), run_seal);

  auto to_open = std::make_shared<TokenCommand>();
  CLI::App& open = *app.add_subcommand("open", "Open what was sealed; the token knows its scope");
  open.add_option("FILE", to_open->input, "The token; - is standard input")->capture_default_str();
  open.add_option("-o,--output", to_open->output,
                  "Write to this file, whole or not at all, instead of standard output");
  add_restricted_use(open, to_open->use);
  on_chosen(open, chosen, std::move(to_open), run_open);

  auto named = std::make_shared<TokenCommand>();
  CLI::App& pseudonym = *app.add_subcommand(
      "pseudonym", "What stands for a value, the same for ever; one per line that is read");
  pseudonym.add_option("SCOPE", named->scope, "")->required();
  pseudonym.add_option("FILE", named->input, "The values; - is standard input")
      ->capture_default_str();
  add_restricted_use(pseudonym, named->use);
  on_chosen(pseudonym, chosen, std::move(named), run_pseudonym);
}

}  // namespace quietus::cli
