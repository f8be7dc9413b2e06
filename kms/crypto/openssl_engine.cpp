// AES-256-GCM and AES-256 blocks through OpenSSL's EVP interface. The ciphers are fetched once, the
// contexts live as long as the GcmContext: a message costs a key schedule and no allocation.
#include <algorithm>
#include <new>

#include "crypto/aead.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/precondition.hpp"

namespace quietus {
namespace {

enum class Direction : int { kDecrypt = 0, kEncrypt = 1 };

// One EVP context of one cipher.
class CipherSlot {
 public:
  explicit CipherSlot(const EVP_CIPHER* cipher) : cipher_(cipher), context_(EVP_CIPHER_CTX_new()) {
    if (!context_) throw std::bad_alloc();
  }

  // Begins a message. Throws std::bad_alloc: with a valid key only memory can be missing here.
  EVP_CIPHER_CTX* start(Direction direction, const std::uint8_t* key, const std::uint8_t* nonce) {
    const EVP_CIPHER* const missing = loaded_ ? nullptr : cipher_;
    if (EVP_CipherInit_ex2(context_.get(), missing, key, nonce, static_cast<int>(direction),
                           nullptr) != 1)
      throw std::bad_alloc();
    loaded_ = true;
    return context_.get();
  }

  EVP_CIPHER_CTX* get() noexcept { return context_.get(); }

  // OpenSSL cleanses the expanded key as it frees it.
  void forget() noexcept {
    EVP_CIPHER_CTX_reset(context_.get());
    loaded_ = false;
  }

 private:
  const EVP_CIPHER* cipher_;
  CipherContext context_;
  bool loaded_ = false;
};

// EVP counts in int, so long input goes in pieces. A null `out` feeds associated data.
bool update(EVP_CIPHER_CTX* context, std::uint8_t* out, ByteView in) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  while (!in.empty()) {
    const ByteView piece = in.first(std::min(in.size(), kPiece));
    const int size = static_cast<int>(piece.size());
    int written = 0;
    if (EVP_CipherUpdate(context, out, &written, piece.data(), size) != 1 || written != size)
      return false;
    if (out != nullptr) out += piece.size();
    in = in.subspan(piece.size());
  }
  return true;
}

bool finish(EVP_CIPHER_CTX* context) {
  std::array<std::uint8_t, EVP_MAX_BLOCK_LENGTH> nothing{};
  int written = 0;
  return EVP_CipherFinal_ex(context, nothing.data(), &written) == 1 && written == 0;
}

class OpensslContext final : public GcmContext {
 public:
  OpensslContext(const EVP_CIPHER* gcm, const EVP_CIPHER* ecb) : gcm_(gcm), blocks_(ecb) {}

  void seal(std::span<const std::uint8_t, 32> key,
            std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
            ByteView plaintext, MutableBytes out) override {
    require(plaintext.size() <= kMaxGcmPlaintext && out.size() == plaintext.size() + kTagSize);
    EVP_CIPHER_CTX* const context = gcm_.start(Direction::kEncrypt, key.data(), nonce.data());
    std::uint8_t* const tag = out.data() + plaintext.size();
    require(update(context, nullptr, associated) && update(context, out.data(), plaintext) &&
            finish(context) &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, int{kTagSize}, tag) == 1);
  }

  Result<void> open(std::span<const std::uint8_t, 32> key,
                    std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
                    ByteView sealed, MutableBytes out) override {
    if (sealed.size() < kTagSize) return refuse(out);
    require(out.size() + kTagSize == sealed.size());
    if (out.size() > kMaxGcmPlaintext)
      return Error(ErrorCode::kInvalidArgument, "message longer than AES-GCM allows");
    EVP_CIPHER_CTX* const context = gcm_.start(Direction::kDecrypt, key.data(), nonce.data());
    // OpenSSL would accept a shorter tag than 16 bytes: its length never comes from the input.
    std::array<std::uint8_t, kTagSize> tag{};
    std::copy_n(sealed.last(kTagSize).begin(), kTagSize, tag.begin());
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, int{kTagSize}, tag.data()) != 1 ||
        !update(context, nullptr, associated) ||
        !update(context, out.data(), sealed.first(out.size())) || !finish(context))
      return refuse(out);
    return {};
  }

  void encrypt_blocks(std::span<const std::uint8_t, 32> key, ByteView in,
                      MutableBytes out) override {
    require(in.size() % 16 == 0 && out.size() == in.size());
    use_block_key(key);
    require(update(blocks_.get(), out.data(), in));
  }

  void forget() noexcept override {
    gcm_.forget();
    blocks_.forget();
    block_key_.fill([](MutableBytes bytes) { wipe(bytes); });
    has_block_key_ = false;
  }

 private:
  // EVP_DecryptUpdate gives plaintext out before the tag is checked; it must not survive a failure.
  static Result<void> refuse(MutableBytes out) {
    wipe(out);
    return Error(ErrorCode::kCorrupt, "authentication failed");
  }

  // XAES derives every message key from the same long-lived key: expanding it once is enough.
  void use_block_key(std::span<const std::uint8_t, 32> key) {
    const bool same = has_block_key_ && block_key_.expose([&](ByteView bytes) {
      return equal_constant_time(key, bytes);
    });
    if (same) return;
    has_block_key_ = false;
    EVP_CIPHER_CTX* const context = blocks_.start(Direction::kEncrypt, key.data(), nullptr);
    require(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
    block_key_.fill([&](MutableBytes bytes) { std::copy(key.begin(), key.end(), bytes.begin()); });
    has_block_key_ = true;
  }

  CipherSlot gcm_;
  CipherSlot blocks_;
  SecretBuffer block_key_{32};
  bool has_block_key_ = false;
};

class OpensslEngine final : public GcmEngine {
 public:
  OpensslEngine()
      : gcm_(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)),
        ecb_(EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr)) {
    require(gcm_ != nullptr && ecb_ != nullptr);
  }

  std::string_view name() const noexcept override { return "openssl"; }

  std::unique_ptr<GcmContext> make_context() const override {
    return std::make_unique<OpensslContext>(gcm_.get(), ecb_.get());
  }

 private:
  Cipher gcm_;
  Cipher ecb_;
};

}  // namespace

const GcmEngine& openssl_engine() noexcept {
  static const auto* const engine = std::make_unique<OpensslEngine>().release();
  return *engine;
}

}  // namespace quietus
