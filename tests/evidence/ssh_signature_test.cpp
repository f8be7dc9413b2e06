// SSHSIG: the samples get the verdict wanted, which is stricter than that of ssh-keygen.
#include "evidence/ssh_signature.hpp"

#include "base/byte_writer.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

std::filesystem::path samples() {
  return std::filesystem::path(QUIETUS_SHARED_VECTORS) / "sshsig/quietus-samples";
}
std::filesystem::path openssh_samples() {
  return std::filesystem::path(QUIETUS_SHARED_VECTORS) / "sshsig/openssh-regress";
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

SshKeyLine key_in(const std::filesystem::path& path) {
  std::string line = content_of(path);
  line.erase(line.find_last_not_of('\n') + 1);
  return must(parse_ssh_key_line(line));
}

// "accept", or "reject", and with it whether it was touched and verified.
std::string verdict(const std::string& armored, const std::string& message,
                    const std::string& name_space) {
  const auto verified = verify_ssh_signature(armored, as_bytes(message), name_space);
  if (!verified) return "reject";
  const bool absent = verified->key.is_security_key() && !verified->presence.touched;
  return absent ? "reject: user presence flag clear" : "accept";
}

TEST_CASE("every sample gets the verdict that is wanted", "[ssh]") {
  const auto manifest = shared_vectors("sshsig/quietus-samples/manifest.json");
  if (!manifest) return;
  const std::string message = content_of(samples() / manifest->at("message"));
  const std::string name_space = manifest->at("namespace");
  int accepted = 0;
  for (const auto& sample : manifest->at("samples")) {
    const std::string file = sample.at("file");
    const std::string wanted = sample.at("quietus_expected");
    CAPTURE(file, wanted);
    const std::string armored = content_of(samples() / file);
    const std::string found = verdict(armored, message, name_space);
    if (wanted == "accept") {
      CHECK(found == "accept");
      const auto verified = must(verify_ssh_signature(armored, as_bytes(message), name_space));
      CHECK(name_of(verified.key.type) == sample["parsed"]["keytype"]);
      CHECK(verified.presence.touched == sample["parsed"].value("UP", false));
      CHECK(verified.presence.verified == sample["parsed"].value("UV", false));
      CHECK(verified.presence.counter == sample["parsed"].value("counter", 0U));
      CHECK(verdict(armored, message + " ", name_space) == "reject");
      CHECK(verdict(armored, message, name_space + "x") == "reject");
      ++accepted;
    } else if (wanted.find("user presence") != std::string::npos) {
      CHECK(found == "reject: user presence flag clear");
    } else {
      CHECK(found == "reject");
    }
  }
  CHECK(accepted == 10);
}

TEST_CASE("no byte of a signature can be another", "[ssh]") {
  const auto manifest = shared_vectors("sshsig/quietus-samples/manifest.json");
  if (!manifest) return;
  const std::string message = content_of(samples() / "msg.json");
  for (const char* file : {"ed25519.sig", "ecdsa.sig", "ecdsa_sk.sig", "soft_sk_uv.sig"}) {
    const std::string armored = content_of(samples() / file);
    for (std::size_t i = 0; i < armored.size(); ++i) {
      std::string changed = armored;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      // Another alphabet's character may decode to the same: then it is no base64.
      CHECK(verdict(changed, message, "approve@quietus.example") == "reject");
      CHECK(verdict(armored.substr(0, i), message, "approve@quietus.example") ==
            (i + 1 == armored.size() ? "accept" : "reject"));
    }
    CHECK(verdict(armored + "x", message, "approve@quietus.example") == "reject");
    CHECK(verdict("\n" + armored, message, "approve@quietus.example") == "reject");
  }
}

TEST_CASE("signatures of OpenSSH's own tests verify, but for what is not taken", "[ssh]") {
  if (!std::filesystem::exists(openssh_samples())) {
    WARN("skipped: no shared vectors (sshsig/openssh-regress)");
    return;
  }
  const std::string message = content_of(openssh_samples() / "signed-data");
  const std::string name_space = content_of(openssh_samples() / "namespace");
  for (const char* name : {"ecdsa", "ed25519", "rsa", "ecdsa_sk", "ed25519_sk"}) {
    CAPTURE(name);
    const std::string armored = content_of(openssh_samples() / (std::string(name) + ".sig"));
    const auto verified = must(verify_ssh_signature(armored, as_bytes(message), name_space));
    CHECK(verified.key == key_in(openssh_samples() / (std::string(name) + ".pub")).key);
  }
  CHECK(verdict(content_of(openssh_samples() / "ecdsa_sk_webauthn.sig"), message, name_space) ==
        "reject");
}

TEST_CASE("keys are read from their line, and shown as ssh-keygen shows them", "[ssh]") {
  if (!std::filesystem::exists(samples())) {
    WARN("skipped: no shared vectors (sshsig/quietus-samples)");
    return;
  }
  for (const char* file :
       {"ed25519.pub", "ecdsa.pub", "rsa.pub", "ed25519_sk.pub", "ecdsa_sk.pub"}) {
    const SshKeyLine line = key_in(samples() / file);
    const std::string text = content_of(samples() / file);
    CHECK(text.starts_with(ssh_key_text(line.key)));
    CHECK(ssh_fingerprint(line.key).size() == 7 + 43);
    // One key has one text.
    const Bytes longer = ByteWriter().raw(line.key.wire).u8(0).take();
    CHECK_FAILS_WITH(parse_ssh_key(longer), ErrorCode::kInvalidArgument);
    for (std::size_t size = 0; size < line.key.wire.size(); ++size)
      CHECK_FAILS_WITH(parse_ssh_key(ByteView(line.key.wire).first(size)),
                       ErrorCode::kInvalidArgument);
  }
  CHECK_FAILS_WITH(parse_ssh_key_line(content_of(samples() / "certed-cert.pub")),
                   ErrorCode::kInvalidArgument);
  for (const char* bad : {"", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !!", "ssh-dss AAAA",
                          "no-pty ssh-ed25519 AAAA"})
    CHECK_FAILS_WITH(parse_ssh_key_line(bad), ErrorCode::kInvalidArgument);
}

}  // namespace
