// Owners for what OpenSSL hands out. Included by .cpp files only, never by a header.
#pragma once

#include <openssl/evp.h>

#include <memory>

namespace quietus {

template <auto Free>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using Cipher = std::unique_ptr<EVP_CIPHER, OpensslDeleter<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, OpensslDeleter<EVP_CIPHER_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD, OpensslDeleter<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpensslDeleter<EVP_MD_CTX_free>>;

}  // namespace quietus
