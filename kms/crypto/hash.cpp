#include "crypto/hash.hpp"

#include <new>

#include "crypto/openssl_handles.hpp"
#include "crypto/precondition.hpp"

namespace quietus {
namespace {

// Fetched once: looking an algorithm up costs more than hashing a short message.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(algorithm != nullptr);
  return algorithm;
}

}  // namespace

struct Sha256Stream::State {
  DigestContext context{EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  if (!state_->context ||
      EVP_DigestInit_ex2(state_->context.get(), sha256_algorithm(), nullptr) != 1)
    throw std::bad_alloc();
}

Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::update(ByteView piece) {
  require(state_ != nullptr);
  require(EVP_DigestUpdate(state_->context.get(), piece.data(), piece.size()) == 1);
}

Sha256 Sha256Stream::finish() {
  require(state_ != nullptr);
  Sha256 digest{};
  require(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
  state_.reset();  // OpenSSL itself would take more and give a wrong answer
  return digest;
}

Sha256 sha256(ByteView message) {
  return sha256({message});
}

Sha256 sha256(std::initializer_list<ByteView> parts) {
  Sha256Stream stream;
  for (const ByteView part : parts) stream.update(part);
  return stream.finish();
}

}  // namespace quietus
