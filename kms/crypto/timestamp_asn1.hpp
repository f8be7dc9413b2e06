// Owners and encodings of OpenSSL's time-stamp objects. Included by .cpp files only, never by a
// header.
#pragma once

#include <openssl/err.h>
#include <openssl/ts.h>

#include <quietus/result.hpp>

#include <new>
#include <optional>
#include <string>

#include "crypto/hash.hpp"
#include "crypto/openssl_handles.hpp"

namespace quietus {

using TsRequest = std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>>;
using TsResponse = std::unique_ptr<TS_RESP, OpensslDeleter<TS_RESP_free>>;
using TsImprint = std::unique_ptr<TS_MSG_IMPRINT, OpensslDeleter<TS_MSG_IMPRINT_free>>;
using TsInfo = std::unique_ptr<TS_TST_INFO, OpensslDeleter<TS_TST_INFO_free>>;
using TsToken = std::unique_ptr<PKCS7, OpensslDeleter<PKCS7_free>>;

// OpenSSL's errors of one call, taken off its thread's queue again: an application may use that
// queue too.
class OpensslErrors {
 public:
  OpensslErrors() noexcept { ERR_set_mark(); }
  OpensslErrors(const OpensslErrors&) = delete;
  OpensslErrors& operator=(const OpensslErrors&) = delete;
  ~OpensslErrors() { ERR_pop_to_mark(); }
};

// The one value that `bytes` encode; null when they encode none, or hold more.
template <class Owner, auto Decode>
Owner decode_asn1(ByteView bytes, std::size_t limit) {
  if (bytes.empty() || bytes.size() > limit) return nullptr;
  const unsigned char* at = bytes.data();
  Owner value(Decode(nullptr, &at, static_cast<long>(bytes.size())));
  if (at != bytes.data() + bytes.size()) value.reset();
  return value;
}

template <auto Encode, class T>
Bytes encode_asn1(const T* value) {
  const int size = Encode(value, nullptr);
  if (size <= 0) throw std::bad_alloc();
  Bytes bytes(static_cast<std::size_t>(size));
  unsigned char* at = bytes.data();
  if (Encode(value, &at) != size) throw std::bad_alloc();
  return bytes;
}

// Whether a request or a token is about this SHA-256.
bool is_imprint_of(TS_MSG_IMPRINT* imprint, const Sha256& digest);

}  // namespace quietus
