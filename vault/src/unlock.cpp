// Unlock secrets as the caller names them.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "vault_core.hpp"

namespace quietus {

Unlock::Unlock(std::unique_ptr<Source> source) : source_(std::move(source)) {}
Unlock::Unlock(Unlock&&) noexcept = default;
Unlock& Unlock::operator=(Unlock&&) noexcept = default;
Unlock::~Unlock() = default;

Unlock Unlock::key_file(std::filesystem::path path) {
  return Unlock(std::make_unique<Source>(Source{Source::Kind::kKeyFile, std::move(path), -1}));
}

Unlock Unlock::passphrase_file(std::filesystem::path path) {
  return Unlock(
      std::make_unique<Source>(Source{Source::Kind::kPassphraseFile, std::move(path), -1}));
}

Unlock Unlock::passphrase_from(int descriptor) {
  return Unlock(std::make_unique<Source>(Source{Source::Kind::kDescriptor, {}, descriptor}));
}

Result<void> new_key_file(const std::filesystem::path& path) {
  return write_new_key_file(posix_file_system(), path);
}

namespace {

// A key file that is missing or is none: the vault itself is not what is wrong.
Error cannot_unlock(const Error& error) {
  const bool about_the_file =
      error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kCorrupt;
  return {about_the_file ? ErrorCode::kWrongKey : error.code(), error.context()};
}

Result<SecretBuffer> passphrase_in(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return Error(
        errno == ENOENT ? ErrorCode::kWrongKey : ErrorCode::kIo,
        "passphrase file " + path.string() + ": " + std::generic_category().message(errno));
  auto passphrase = read_passphrase(descriptor);
  ::close(descriptor);
  return passphrase;
}

}  // namespace

Result<std::shared_ptr<const UnlockSecret>> load_secret(FileSystem& files, const Unlock& unlock) {
  const Unlock::Source& source = unlock.source();
  if (source.kind == Unlock::Source::Kind::kKeyFile) {
    auto key = read_key_file(files, source.path);
    if (!key) return cannot_unlock(key.error());
    return std::make_shared<const UnlockSecret>(UnlockKind::kKeyFile, std::move(key).value());
  }
  QUIETUS_TRY_AS(SecretBuffer passphrase, source.kind == Unlock::Source::Kind::kPassphraseFile
                                              ? passphrase_in(source.path)
                                              : read_passphrase(source.descriptor));
  return std::make_shared<const UnlockSecret>(UnlockKind::kPassphrase, std::move(passphrase));
}

std::filesystem::path secret_file_of(const Unlock& unlock) {
  std::error_code ignored;
  if (unlock.source().kind == Unlock::Source::Kind::kDescriptor) return {};
  return std::filesystem::absolute(unlock.source().path, ignored);
}

}  // namespace quietus
