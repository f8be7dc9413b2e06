// audit witness-key, cosign: what a witness of other people's logs does. No vault is needed.
#include "attach.hpp"
#include "input_file.hpp"
#include "trust_file.hpp"

#include <quietus/trust.hpp>

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kRequestLimit = std::size_t{1} << 20;  // bytes

struct WitnessKeyCommand {
  std::string file;
  std::string name;
};
struct CosignCommand {
  std::string request;
  std::string key;
  std::string trust;
};

Result<ExitCode> run_witness_key(const WitnessKeyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::string vkey, create_witness(command.file, command.name));
  if (invocation.terminal.json)
    invocation.terminal.document({{"key_file", command.file}, {"verifier_key", vkey}});
  else
    invocation.terminal.line(vkey);
  return ExitCode::kDone;
}

// The signed note as it is: every byte of it counts.
Result<ExitCode> run_cosign(const CosignCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Trust trust, read_trust(command.trust));
  QUIETUS_TRY_AS(const Bytes request, read_file(command.request, kRequestLimit));
  QUIETUS_TRY_AS(const std::string checkpoint,
                 cosign(command.key, as_text(request), trust).within(command.request));
  if (invocation.terminal.json)
    invocation.terminal.document({{"checkpoint", checkpoint}});
  else
    invocation.terminal.verbatim(checkpoint);
  return ExitCode::kDone;
}

}  // namespace

void attach_witness_commands(CLI::App& group, Action& chosen) {
  auto made = std::make_shared<WitnessKeyCommand>();
  CLI::App& make = *group.add_subcommand("witness-key", "Make a key to cosign other logs with");
  make.add_option("-o", made->file, "The new key file; FILE.state remembers what it cosigned")
      ->required();
  make.add_option("--name", made->name, "Its name, as a URL without https:// [random]");
  on_chosen(make, chosen, std::move(made), run_witness_key);

  auto options = std::make_shared<CosignCommand>();
  CLI::App& command = *group.add_subcommand(
      "cosign", "As a witness, countersign a checkpoint that goes on from the last one");
  command
      .add_option("FILE", options->request,
                  "What `audit proof` printed, or the first time a checkpoint")
      ->required();
  command.add_option("--key-file", options->key, "The witness's key, made by `audit witness-key`")
      ->required();
  command.add_option("--trust", options->trust, "The trust file that names the log")->required();
  on_chosen(command, chosen, std::move(options), run_cosign);
}

}  // namespace quietus::cli
