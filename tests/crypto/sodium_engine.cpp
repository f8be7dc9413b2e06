#include <sodium.h>

#include "crypto/engines.hpp"

namespace quietus::test {
namespace {

// AES-256-GCM by libsodium. It has no plain AES, so blocks come from the reference.
class SodiumContext final : public GcmContext {
 public:
  void seal(std::span<const std::uint8_t, 32> key,
            std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
            ByteView plaintext, MutableBytes out) override {
    crypto_aead_aes256gcm_encrypt(out.data(), nullptr, plaintext.data(), plaintext.size(),
                                  associated.data(), associated.size(), nullptr, nonce.data(),
                                  key.data());
  }

  Result<void> open(std::span<const std::uint8_t, 32> key,
                    std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
                    ByteView sealed, MutableBytes out) override {
    if (sealed.size() >= kTagSize &&
        crypto_aead_aes256gcm_decrypt(out.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                      associated.data(), associated.size(), nonce.data(),
                                      key.data()) == 0)
      return {};
    wipe(out);
    return Error(ErrorCode::kCorrupt, "authentication failed");
  }

  void encrypt_blocks(std::span<const std::uint8_t, 32> key, ByteView in,
                      MutableBytes out) override {
    blocks_->encrypt_blocks(key, in, out);
  }

  void forget() noexcept override { blocks_->forget(); }

 private:
  std::unique_ptr<GcmContext> blocks_ = openssl_engine().make_context();
};

class SodiumEngine final : public GcmEngine {
 public:
  std::string_view name() const noexcept override { return "libsodium (tests only)"; }
  std::unique_ptr<GcmContext> make_context() const override {
    return std::make_unique<SodiumContext>();
  }
};

}  // namespace

std::vector<const GcmEngine*> engines_under_test() {
  static const SodiumEngine sodium;
  static const bool usable = sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
  std::vector<const GcmEngine*> engines(all_engines().begin(), all_engines().end());
  if (usable) engines.push_back(&sodium);
  return engines;
}

}  // namespace quietus::test
