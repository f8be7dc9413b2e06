// Requests and responses. Tokens are verified in timestamp_token.cpp.
#include "crypto/timestamp.hpp"

#include <algorithm>
#include <array>

#include "base/unverified.hpp"
#include "crypto/precondition.hpp"
#include "crypto/random.hpp"
#include "crypto/timestamp_asn1.hpp"

namespace quietus {
namespace {

Error invalid(const char* reason) {
  return {ErrorCode::kInvalidArgument, reason};
}

// Setters of OpenSSL copy and can only lack memory.
void must_have_memory(bool done) {
  if (!done) throw std::bad_alloc();
}

TsImprint make_imprint(const Sha256& digest) {
  TsImprint imprint(TS_MSG_IMPRINT_new());
  must_have_memory(imprint != nullptr);
  X509_ALGOR* const algorithm = TS_MSG_IMPRINT_get_algo(imprint.get());
  // With NULL as its parameters, as most clients write it; some authorities know no other form.
  must_have_memory(X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1);
  Sha256 copy = digest;
  must_have_memory(
      TS_MSG_IMPRINT_set_msg(imprint.get(), copy.data(), static_cast<int>(copy.size())) == 1);
  return imprint;
}

// ---- responses --------------------------------------------------------------------------------

struct FailureName {
  int bit;
  const char* name;
};

// PKIFailureInfo, RFC 3161 section 2.4.2.
constexpr std::array<FailureName, 8> kFailures = {{{0, "badAlg"},
                                                   {2, "badRequest"},
                                                   {5, "badDataFormat"},
                                                   {14, "timeNotAvailable"},
                                                   {15, "unacceptedPolicy"},
                                                   {16, "unacceptedExtension"},
                                                   {17, "addInfoNotAvailable"},
                                                   {25, "systemFailure"}}};
// PKIStatus.
constexpr std::array<const char*, 6> kStatuses = {
    "granted", "granted with modifications", "rejection",
    "waiting", "revocation warning",         "revocation"};

// The authority's own free text is left out: it is a stranger's.
std::string reason_of(const TS_STATUS_INFO* info, std::uint64_t status) {
  std::string text = status < kStatuses.size() ? kStatuses.at(status) : "an unknown status";
  const ASN1_BIT_STRING* const failures = TS_STATUS_INFO_get0_failure_info(info);
  for (const FailureName& failure : kFailures)
    if (failures != nullptr && ASN1_BIT_STRING_get_bit(failures, failure.bit) == 1)
      text.append(" (").append(failure.name).append(")");
  return text;
}

Result<void> check_status(TS_RESP* response) {
  const TS_STATUS_INFO* const info = TS_RESP_get_status_info(response);
  std::uint64_t status = kStatuses.size();
  if (ASN1_INTEGER_get_uint64(&status, TS_STATUS_INFO_get0_status(info)) == 1 && status <= 1)
    return {};
  return unverified("the authority granted no time stamp: " + reason_of(info, status));
}

// Beside the imprint, which the token has to have anyway.
Result<void> check_answers(TS_REQ* request, TS_TST_INFO* info) {
  const ASN1_INTEGER* const nonce = TS_TST_INFO_get_nonce(info);
  if (nonce == nullptr || ASN1_INTEGER_cmp(nonce, TS_REQ_get_nonce(request)) != 0)
    return unverified("response has another nonce than the request: it answers another request");
  const ASN1_OBJECT* const policy = TS_REQ_get_policy_id(request);
  if (policy != nullptr && OBJ_cmp(policy, TS_TST_INFO_get_policy_id(info)) != 0)
    return unverified("response has another policy than the request asked for");
  return {};
}

Result<TsRequest> read_request(ByteView bytes, const Sha256& imprint) {
  auto request = decode_asn1<TsRequest, d2i_TS_REQ>(bytes, kMaxTimestampMessage);
  if (!request) return invalid("not a time-stamp request");
  if (!is_imprint_of(TS_REQ_get_msg_imprint(request.get()), imprint))
    return invalid("the time-stamp request was made for another file");
  if (TS_REQ_get_nonce(request.get()) == nullptr)
    return invalid("the time-stamp request has no nonce, so any older response would fit it");
  return request;
}

Result<Bytes> token_in(TS_RESP* response, TS_REQ* request) {
  QUIETUS_TRY(check_status(response));
  PKCS7* const token = TS_RESP_get_token(response);
  TS_TST_INFO* const info = TS_RESP_get_tst_info(response);
  if (token == nullptr || info == nullptr) return unverified("response holds no time-stamp token");
  QUIETUS_TRY(check_answers(request, info));
  return encode_asn1<i2d_PKCS7>(token);
}

}  // namespace

bool is_imprint_of(TS_MSG_IMPRINT* imprint, const Sha256& digest) {
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, TS_MSG_IMPRINT_get_algo(imprint));
  const ASN1_OCTET_STRING* const message = TS_MSG_IMPRINT_get_msg(imprint);
  const std::uint8_t* const bytes = ASN1_STRING_get0_data(message);
  return OBJ_obj2nid(algorithm) == NID_sha256 &&
         ASN1_STRING_length(message) == static_cast<int>(digest.size()) &&
         std::equal(digest.begin(), digest.end(), bytes);
}

Bytes timestamp_request(const Sha256& imprint) {
  const OpensslErrors errors;
  const TsRequest request(TS_REQ_new());
  must_have_memory(request != nullptr);
  using Number = std::unique_ptr<ASN1_INTEGER, OpensslDeleter<ASN1_INTEGER_free>>;
  const Number nonce(ASN1_INTEGER_new());
  must_have_memory(nonce && ASN1_INTEGER_set_uint64(nonce.get(), random_id63()) == 1);
  must_have_memory(TS_REQ_set_version(request.get(), 1) == 1 &&
                   TS_REQ_set_msg_imprint(request.get(), make_imprint(imprint).get()) == 1 &&
                   TS_REQ_set_nonce(request.get(), nonce.get()) == 1 &&
                   TS_REQ_set_cert_req(request.get(), 1) == 1);
  return encode_asn1<i2d_TS_REQ>(request.get());
}

Result<Bytes> timestamp_token_of(const Sha256& imprint, ByteView request, ByteView response,
                                 std::string_view ca_pem) {
  const OpensslErrors errors;
  QUIETUS_TRY_AS(const TsRequest asked, read_request(request, imprint));
  const auto answer = decode_asn1<TsResponse, d2i_TS_RESP>(response, kMaxTimestampMessage);
  if (!answer) return unverified("not a time-stamp response");
  QUIETUS_TRY_AS(Bytes token, token_in(answer.get(), asked.get()));
  // What is handed out is what was verified, encoded anew or not.
  QUIETUS_TRY(verify_timestamp_token(imprint, token, ca_pem));
  return token;
}

}  // namespace quietus
