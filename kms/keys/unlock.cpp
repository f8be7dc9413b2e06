#include "keys/unlock.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/text_encoding.hpp"
#include "crypto/derive.hpp"
#include "crypto/random.hpp"

namespace quietus {
namespace {

constexpr std::string_view kKeyFilePrefix = "quietus-key-1 ";
constexpr std::size_t kEncodedKeySize = 43;  // base64url of 32 bytes
constexpr std::size_t kMaxPassphrase = 1024;

bool same(const UnlockParameters& a, const UnlockParameters& b) {
  return a.kind == b.kind && a.salt == b.salt && a.argon2 == b.argon2;
}

// The six bits of a base64url letter, or 64. Written out so that the text never leaves guarded
// memory.
unsigned sextet(std::uint8_t letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26U;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52U;
  if (letter == '-') return 62;
  if (letter == '_') return 63;
  return 64;
}

bool decode_key(ByteView text, MutableBytes key) {
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t written = 0;
  for (const std::uint8_t letter : text) {
    const unsigned value = sextet(letter);
    if (value == 64) return false;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      key[written++] = static_cast<std::uint8_t>(bits >> count);
    }
  }
  const bool canonical = (bits & ((1U << count) - 1)) == 0;
  return canonical && written == key.size();
}

void encode_key(ByteView key, MutableBytes text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t bit = i * 6;
    const unsigned high = key[bit / 8];
    const unsigned low = bit / 8 + 1 < key.size() ? key[bit / 8 + 1] : 0;
    text[i] = static_cast<std::uint8_t>(kAlphabet[((high << 8 | low) >> (10 - bit % 8)) & 63]);
  }
}

// Reads until the end, a line end or a full buffer; the number of bytes before the line end.
Result<std::size_t> read_line(int descriptor, MutableBytes to) {
  std::size_t size = 0;
  while (size < to.size()) {
    const ssize_t got = ::read(descriptor, to.data() + size, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Error(ErrorCode::kIo,
                   std::string("passphrase: ") + std::generic_category().message(errno));
    if (got == 0 || to[size] == '\n') return size;
    ++size;
  }
  return Error(ErrorCode::kInvalidArgument, "passphrase: longer than 1024 bytes");
}

}  // namespace

UnlockParameters UnlockSecret::fresh_parameters(const Argon2Parameters& argon2) const {
  UnlockParameters parameters;
  parameters.kind = kind_;
  random_bytes(parameters.salt);
  parameters.argon2 = kind_ == UnlockKind::kPassphrase ? argon2 : Argon2Parameters{0, 0};
  return parameters;
}

Result<UnlockKey> UnlockSecret::key_for(const UnlockParameters& parameters) const {
  if (parameters.kind != kind_)
    return Error(ErrorCode::kWrongKey, kind_ == UnlockKind::kPassphrase
                                           ? "this vault is unlocked by a key file"
                                           : "this vault is unlocked by a passphrase");
  const std::lock_guard lock(mutex_);
  if (!derived_ || !same(derived_->first, parameters)) {
    if (kind_ == UnlockKind::kPassphrase) {
      QUIETUS_TRY_AS(UnlockKey key, secret_.expose([&](ByteView passphrase) {
        return derive_from_passphrase(passphrase, parameters.salt, parameters.argon2);
      }));
      derived_.emplace(parameters, std::move(key));
    } else {
      derived_.emplace(parameters, UnlockKey::make([&](MutableBytes out) {
                         secret_.expose([&](ByteView secret) {
                           hkdf_sha256(secret, parameters.salt, as_bytes(labels::kUnlock), out);
                         });
                       }));
    }
  }
  return derived_->second.duplicate();
}

Result<SecretBuffer> read_key_file(FileSystem& files, const std::filesystem::path& path) {
  const auto not_a_key_file = [&] {
    return Error(ErrorCode::kCorrupt, "key file " + path.string() + ": not a quietus key file");
  };
  constexpr std::size_t kSize = kKeyFilePrefix.size() + kEncodedKeySize + 1;
  QUIETUS_TRY_AS(auto file, files.open(path, FileSystem::Open::kRead));
  QUIETUS_TRY_AS(const std::uint64_t size, file->size());
  if (size != kSize) return not_a_key_file();
  SecretBuffer text(kSize);
  QUIETUS_TRY(text.fill([&](MutableBytes to) { return file->read_at(0, to); }));
  SecretBuffer key(kKeySize);
  const bool decoded = text.expose([&](ByteView all) {
    return as_text(all).starts_with(kKeyFilePrefix) && all.back() == '\n' &&
           key.fill([&](MutableBytes to) {
             return decode_key(all.subspan(kKeyFilePrefix.size(), kEncodedKeySize), to);
           });
  });
  if (!decoded) return not_a_key_file();
  return key;
}

Result<void> write_new_key_file(FileSystem& files, const std::filesystem::path& path) {
  StackSecret<kKeySize> key;
  random_bytes(key.bytes());
  SecretBuffer text(kKeyFilePrefix.size() + kEncodedKeySize + 1);
  text.fill([&](MutableBytes to) {
    std::copy(kKeyFilePrefix.begin(), kKeyFilePrefix.end(), to.begin());
    encode_key(key.bytes(), to.subspan(kKeyFilePrefix.size(), kEncodedKeySize));
    to.back() = '\n';
  });
  QUIETUS_TRY_AS(auto file, files.open(path, FileSystem::Open::kCreate));
  QUIETUS_TRY(text.expose([&](ByteView from) { return file->write_at(0, from); }));
  QUIETUS_TRY(file->sync());
  const std::filesystem::path folder = path.parent_path();
  return files.sync_folder(folder.empty() ? "." : folder);
}

Result<SecretBuffer> read_passphrase(int descriptor) {
  SecretBuffer line(kMaxPassphrase + 1);
  QUIETUS_TRY_AS(const std::size_t size,
                 line.fill([&](MutableBytes to) { return read_line(descriptor, to); }));
  if (size == 0) return Error(ErrorCode::kInvalidArgument, "passphrase: empty");
  SecretBuffer passphrase(size);
  line.expose([&](ByteView from) {
    passphrase.fill([&](MutableBytes to) { std::copy_n(from.begin(), size, to.begin()); });
  });
  return passphrase;
}

}  // namespace quietus
