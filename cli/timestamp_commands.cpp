// cert: timestamp-request, timestamp-import, and the part of verify that is about time stamps.
#include "timestamp_commands.hpp"

#include "attach.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"

#include <quietus/trust.hpp>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct RequestCommand {
  std::string certificate;
  std::string output;
};
struct ImportCommand {
  std::string certificate;
  std::string request;
  std::string response;
  std::string ca;
  std::string output;
};

// What is written replaces what was there; that must not be what was read.
Result<void> check_output(const std::string& output, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    std::error_code unknown;
    if (std::filesystem::equivalent(output, input, unknown))
      return Error(ErrorCode::kInvalidArgument,
                   "-o names " + input + ", which is read and must stay as it is");
  }
  return {};
}

Result<void> write_whole(const std::string& path, ByteView bytes) {
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  QUIETUS_TRY(file.write(bytes));
  return file.commit();
}

Result<ExitCode> run_request(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_output(command.output, {command.certificate}));
  QUIETUS_TRY_AS(const Bytes file, read_file(command.certificate, kCertificateLimit));
  QUIETUS_TRY_AS(const Bytes request, request_timestamp(file).within(command.certificate));
  QUIETUS_TRY(write_whole(command.output, request));
  if (invocation.terminal.json)
    invocation.terminal.document(
        {{"certificate_file", command.certificate}, {"request_file", command.output}});
  else
    invocation.terminal.line("request written to " + command.output +
                             "; send it to a time-stamping authority and keep it for the import");
  return ExitCode::kDone;
}

Result<Bytes> read_and_import(const ImportCommand& command, ByteView file, std::string_view ca) {
  QUIETUS_TRY_AS(const Bytes request, read_file(command.request, kMaxTimestampMessage));
  QUIETUS_TRY_AS(const Bytes response, read_file(command.response, kMaxTimestampMessage));
  return import_timestamp(file, request, response, ca).within(command.response);
}

Result<ExitCode> run_import(const ImportCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_output(command.output,
                           {command.certificate, command.request, command.response, command.ca}));
  QUIETUS_TRY_AS(const Bytes file, read_file(command.certificate, kCertificateLimit));
  QUIETUS_TRY_AS(const Bytes ca, read_file(command.ca, kMaxTimestampAuthorities));
  QUIETUS_TRY_AS(const Bytes token, read_and_import(command, file, as_text(ca)));
  QUIETUS_TRY_AS(const VerifiedTimestamp stamp, verify_timestamp(file, token, as_text(ca)));
  QUIETUS_TRY(write_whole(command.output, token));
  if (invocation.terminal.json)
    invocation.terminal.document({{"certificate_file", command.certificate},
                                  {"token_file", command.output},
                                  {"timestamp", to_json(stamp)}});
  else
    invocation.terminal.line("stamped at " + timestamp(stamp.time_unix_ms) + " by " + stamp.tsa +
                             "; token written to " + command.output);
  return ExitCode::kDone;
}

}  // namespace

void add_timestamp_options(CLI::App& command, TimestampOptions& options) {
  auto* token = command.add_option("--timestamp", options.token, "A time stamp of it (RFC 3161)");
  auto* ca = command.add_option("--tsa-ca", options.ca,
                                "Certificates (PEM) of the authority to believe for it");
  token->needs(ca);
  ca->needs(token);
}

Result<void> add_timestamp(VerifiedCertificate& certificate, const TimestampOptions& options) {
  if (!options.token || !options.ca) return {};
  QUIETUS_TRY_AS(const Bytes token, read_file(*options.token, kMaxTimestampMessage));
  QUIETUS_TRY_AS(const Bytes ca, read_file(*options.ca, kMaxTimestampAuthorities));
  return certificate.add_timestamp(token, as_text(ca)).within(*options.token);
}

Json to_json(const VerifiedTimestamp& stamp) {
  return {{"time", timestamp(stamp.time_unix_ms)},
          {"accuracy_ms", stamp.accuracy_ms},
          {"policy", stamp.policy},
          {"serial", stamp.serial},
          {"authority", stamp.tsa}};
}

Json to_json(const std::optional<VerifiedTimestamp>& stamp) {
  return stamp ? to_json(*stamp) : Json(nullptr);
}

void attach_timestamp_commands(CLI::App& group, Action& chosen) {
  auto asked = std::make_shared<RequestCommand>();
  CLI::App& request = *group.add_subcommand(
      "timestamp-request", "Ask a third party by when a certificate existed (RFC 3161)");
  request.add_option("CERT", asked->certificate, "The certificate's file")->required();
  request.add_option("-o,--output", asked->output, "The request to send")->required();
  on_chosen(request, chosen, std::move(asked), run_request);

  auto got = std::make_shared<ImportCommand>();
  CLI::App& import = *group.add_subcommand(
      "timestamp-import", "Verify the answer, and keep the time stamp beside the certificate");
  import.add_option("CERT", got->certificate, "The certificate's file")->required();
  import.add_option("--request", got->request, "What was sent")->required();
  import.add_option("--response", got->response, "What came back")->required();
  import.add_option("--ca", got->ca, "Certificates (PEM) of the authority to believe")->required();
  import.add_option("-o,--output", got->output, "The time stamp")->required();
  on_chosen(import, chosen, std::move(got), run_import);
}

}  // namespace quietus::cli
