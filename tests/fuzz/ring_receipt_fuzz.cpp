// The receipt of a recovery site on hostile bytes: a verdict each, never a crash. What is read
// keeps the rules of a receipt, and is written again to the same bytes; no stranger's note opens.
// The same for what a site says to a lost host, and for what a vault tells the site of its
// erasures.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "evidence/erasure_notice.hpp"
#include "evidence/ring_receipt.hpp"
#include "evidence/takeover.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

using namespace quietus;

void check_notice(std::string_view text) {
  const auto notice = parse_erasure_notice(text);
  if (!notice) return;
  require(encode_erasure_notice(*notice) == text);
  std::uint64_t next = notice->from.size;
  for (const NoticedErasure& erasure : notice->erasures) {
    require(erasure.index >= next && erasure.index < notice->to.size);
    next = erasure.index + 1;
  }
}

void check_text(std::string_view text) {
  check_notice(text);
  if (const auto takeover = parse_takeover(text)) require(encode_takeover(*takeover) == text);
  const auto receipt = parse_receipt(text);
  if (!receipt) return;
  require(encode_receipt(*receipt) == text);
  require(receipt->destroyed.size() <= kMaxRingEpochs);
  std::set<EpochId> ids;
  for (std::size_t i = 0; i < receipt->destroyed.size(); ++i) {
    const DestroyedEpoch& epoch = receipt->destroyed[i];
    require(ids.insert(epoch.epoch).second);
    require(epoch.destroyed <= receipt->issued);
    require(i == 0 || comes_before(receipt->destroyed[i - 1], epoch));
  }
  // No text is both.
  require(!parse_ring(text).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text(ByteView(data + 1, size - 1));
  if (data[0] % 2 == 0)
    check_text(text);
  else
    require(!open_receipt(text, {"site.example", {1}}).ok());
  return 0;
}
