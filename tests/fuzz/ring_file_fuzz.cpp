// The ring file of a recovery site on hostile bytes: a verdict each, never a crash. What is read
// keeps the rules of a ring, and is written again to the same bytes; no stranger's note opens.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "evidence/ring_file.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

using namespace quietus;

void check_rules(const RingFile& ring) {
  require(!ring.epochs.empty() && ring.epochs.size() <= kMaxRingEpochs);
  for (std::size_t i = 0; i < ring.epochs.size(); ++i) {
    const RingEpoch& epoch = ring.epochs[i];
    require(epoch.opens < epoch.closes && epoch.closes <= epoch.expires);
    require(i == 0 || ring.epochs[i - 1].closes <= epoch.opens);
    require(epoch_for_sealing(ring, epoch.opens) == &epoch);
    require(epoch_for_sealing(ring, epoch.closes - 1) == &epoch);
  }
}

// No ring follows itself; the same one, issued later, does.
void check_succession(const RingFile& ring) {
  require(!follows(ring, ring).ok());
  RingFile next = ring;
  next.issued += 1000;
  require(follows(next, ring).ok());
  next.epochs.front().expires += 1000;
  require(!follows(next, ring).ok());
}

void check_text(std::string_view text) {
  const auto ring = parse_ring(text);
  if (!ring) return;
  require(encode_ring(*ring) == text);
  check_rules(*ring);
  check_succession(*ring);
}

// Two texts with an empty line between: whatever follows makes no epoch end later.
void check_pair(std::string_view texts) {
  const std::size_t split = texts.find("\n\n");
  if (split == std::string_view::npos) return;
  const auto before = parse_ring(texts.substr(0, split + 1));
  const auto next = parse_ring(texts.substr(split + 2));
  if (!before || !next || !follows(*next, *before)) return;
  for (const RingEpoch& epoch : before->epochs) {
    bool is_kept = false;
    for (const RingEpoch& kept : next->epochs) {
      if (kept.public_key.key != epoch.public_key.key) continue;
      is_kept = true;
      require(kept.expires <= epoch.expires);
    }
    require(is_kept || epoch.expires <= next->issued);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text(ByteView(data + 1, size - 1));
  switch (data[0] % 3) {
    case 0: check_text(text); break;
    case 1: check_pair(text); break;
    default: require(!open_ring(text, {"site.example", {1}}).ok());
  }
  return 0;
}
