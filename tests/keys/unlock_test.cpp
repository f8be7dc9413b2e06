#include "keys/unlock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>

#include "base/text_encoding.hpp"
#include "keys/sample_secrets.hpp"
#include "support/fault_file_system.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<SecretBuffer> passphrase_of(const std::string& text) {
  TemporaryFolder folder;
  write_text(folder / "p", text);
  const int descriptor = open((folder / "p").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  auto read = read_passphrase(descriptor);
  close(descriptor);
  return read;
}

}  // namespace

TEST_CASE("a new key file is read again, is different each time, and is nobody else's",
          "[unlock]") {
  TemporaryFolder folder;
  must(write_new_key_file(posix_file_system(), folder / "one"));
  must(write_new_key_file(posix_file_system(), folder / "two"));
  const Bytes one = bytes_of(must(read_key_file(posix_file_system(), folder / "one")));
  const Bytes two = bytes_of(must(read_key_file(posix_file_system(), folder / "two")));
  CHECK(one.size() == 32);
  CHECK(one != two);
  CHECK(read_text(folder / "one") == "quietus-key-1 " + to_base64url(one) + "\n");
  struct stat status {};
  REQUIRE(stat((folder / "one").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK_FAILS_WITH(write_new_key_file(posix_file_system(), folder / "one"),
                   ErrorCode::kAlreadyExists);
  CHECK(bytes_of(must(read_key_file(posix_file_system(), folder / "one"))) == one);
}

TEST_CASE("a new key file survives a crash", "[unlock]") {
  TemporaryFolder folder;
  FaultFileSystem files;
  must(write_new_key_file(files, folder / "key"));
  const std::string text = read_text(folder / "key");
  files.crash();
  CHECK(read_text(folder / "key") == text);
}

TEST_CASE("a key file has one form", "[unlock]") {
  TemporaryFolder folder;
  const Bytes key = bytes_of(named_key<RootRole>("key"));
  const std::string encoded = to_base64url(key);
  const auto code_of = [&](const std::string& text) {
    write_text(folder / "key", text);
    const auto read = read_key_file(posix_file_system(), folder / "key");
    if (!read) return std::string(name_of(read.error().code()));
    CHECK(bytes_of(*read) == key);
    return std::string("opened");
  };
  const std::string good = "quietus-key-1 " + encoded + "\n";
  CHECK(code_of(good) == "opened");
  CHECK(code_of("") == "corrupt");
  CHECK(code_of(good + "\n") == "corrupt");
  CHECK(code_of(good.substr(0, good.size() - 1)) == "corrupt");
  CHECK(code_of(good.substr(0, good.size() - 1) + "\r\n") == "corrupt");
  CHECK(code_of("quietus-key-2 " + encoded + "\n") == "corrupt");
  CHECK(code_of("quietus-key-1  " + encoded.substr(1) + "\n") == "corrupt");
  CHECK(code_of("\xEF\xBB\xBF" + good) == "corrupt");
  for (std::size_t i = 0; i < encoded.size(); ++i)
    for (const char letter : {'=', '+', '/', ' ', '\0', '\xFF'}) {
      std::string bad = good;
      bad[14 + i] = letter;
      CHECK(code_of(bad) == "corrupt");
    }
  // The last letter carries four bits; the other two must be zero.
  std::string odd = good;
  odd[odd.size() - 2] = static_cast<char>(odd[odd.size() - 2] + 1);
  CHECK(code_of(odd) == "corrupt");
  CHECK_FAILS_WITH(read_key_file(posix_file_system(), folder / "absent"), ErrorCode::kNotFound);
}

TEST_CASE("a passphrase is the first line, without its end", "[unlock]") {
  const auto is = [](const std::string& text, const std::string& expected) {
    const Bytes read = bytes_of(must(passphrase_of(text)));
    CHECK(as_text(read) == expected);
  };
  is("secret\n", "secret");
  is("secret", "secret");
  is("secret\nmore\n", "secret");
  is(" with spaces \n", " with spaces ");
  is(std::string(1024, 'x') + "\n", std::string(1024, 'x'));
  is(std::string(1024, 'x'), std::string(1024, 'x'));
  CHECK_FAILS_WITH(passphrase_of(""), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(passphrase_of("\nsecret\n"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(passphrase_of(std::string(1025, 'x')), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(read_passphrase(-1), ErrorCode::kIo);
}

TEST_CASE("a passphrase is read up to its line end and not beyond", "[unlock]") {
  std::array<int, 2> pipe_ends{};
  REQUIRE(pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
  const std::string text = "one\ntwo\n";
  REQUIRE(write(pipe_ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  CHECK(as_text(bytes_of(must(read_passphrase(pipe_ends[0])))) == "one");
  CHECK(as_text(bytes_of(must(read_passphrase(pipe_ends[0])))) == "two");
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST_CASE("the unlock key depends on secret and salt", "[unlock]") {
  const auto secret = key_file_secret("one");
  const auto parameters = secret->fresh_parameters({});
  const Bytes key = bytes_of(must(secret->key_for(parameters)));
  CHECK(bytes_of(must(secret->key_for(parameters))) == key);
  CHECK(bytes_of(must(key_file_secret("one")->key_for(parameters))) == key);
  CHECK(bytes_of(must(key_file_secret("two")->key_for(parameters))) != key);
  CHECK(bytes_of(must(secret->key_for(secret->fresh_parameters({})))) != key);
  CHECK(bytes_of(must(secret->key_for(parameters))) == key);
  CHECK_FAILS_WITH(passphrase_secret("one")->key_for(parameters), ErrorCode::kWrongKey);
}

TEST_CASE("Argon2id runs once for a salt", "[unlock][passphrase]") {
  const auto secret = passphrase_secret("correct horse battery staple");
  const auto parameters = secret->fresh_parameters(kArgon2Floor);
  CHECK(parameters.argon2 == kArgon2Floor);
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const Bytes key = bytes_of(must(secret->key_for(parameters)));
  const auto first = Clock::now() - began;
  const auto again = Clock::now();
  for (int i = 0; i < 10; ++i) CHECK(bytes_of(must(secret->key_for(parameters))) == key);
  CHECK(Clock::now() - again < first / 2);
  CHECK(bytes_of(must(secret->key_for(secret->fresh_parameters(kArgon2Floor)))) != key);
  CHECK_FAILS_WITH(secret->key_for({UnlockKind::kPassphrase, {}, {1, 1024}}), ErrorCode::kCorrupt);
}
