// Do the engines agree, and would the comparison notice if they did not?
#include "crypto/engines.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace quietus;

namespace {

enum class Fault {
  kNone,
  kCiphertext,  // one wrong bit, only in messages longer than 256 bytes
  kTag,         // wrong when there is associated data
  kInPlace,     // wrong when out is the plaintext's buffer
  kAcceptsEverything,
  kKeepsPlaintext,  // leaves the output as it is when the tag does not fit
  kBlocks,          // wrong from the 17th block on
  kForgetBreaks,    // wrong after forget()
};

// The reference, with one fault.
class FaultyContext final : public GcmContext {
 public:
  explicit FaultyContext(Fault fault) : fault_(fault) {}

  void seal(std::span<const std::uint8_t, 32> key,
            std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
            ByteView plaintext, MutableBytes out) override {
    const bool in_place = plaintext.data() == out.data();
    honest_->seal(key, nonce, associated, plaintext, out);
    if (fault_ == Fault::kCiphertext && plaintext.size() > 256) out[256] ^= 1;
    if (fault_ == Fault::kTag && !associated.empty()) out.back() ^= 1;
    if (fault_ == Fault::kInPlace && in_place) out[0] ^= 1;
    if (fault_ == Fault::kForgetBreaks && forgot_) out[0] ^= 1;
  }

  Result<void> open(std::span<const std::uint8_t, 32> key,
                    std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
                    ByteView sealed, MutableBytes out) override {
    const Bytes before(out.begin(), out.end());
    auto result = honest_->open(key, nonce, associated, sealed, out);
    if (result.ok()) return result;
    if (fault_ == Fault::kAcceptsEverything) return {};
    if (fault_ == Fault::kKeepsPlaintext) std::copy(before.begin(), before.end(), out.begin());
    return result;
  }

  void encrypt_blocks(std::span<const std::uint8_t, 32> key, ByteView in,
                      MutableBytes out) override {
    honest_->encrypt_blocks(key, in, out);
    if (fault_ == Fault::kBlocks && out.size() > 256) out[256] ^= 1;
  }

  void forget() noexcept override {
    honest_->forget();
    forgot_ = true;
  }

 private:
  Fault fault_;
  bool forgot_ = false;
  std::unique_ptr<GcmContext> honest_ = openssl_engine().make_context();
};

class FaultyEngine final : public GcmEngine {
 public:
  explicit FaultyEngine(Fault fault) : fault_(fault) {}
  std::string_view name() const noexcept override { return "faulty"; }
  std::unique_ptr<GcmContext> make_context() const override {
    return std::make_unique<FaultyContext>(fault_);
  }

 private:
  Fault fault_;
};

constexpr int kRounds = 1000;

void check_all_pairs(int rounds) {
  const auto engines = test::engines_under_test();
  if (engines.size() < 2) WARN("skipped: only one AES-256-GCM engine on this processor");
  for (const GcmEngine* a : engines)
    for (const GcmEngine* b : engines) {
      const auto difference = test::first_difference(*a, *b, Catch::rngSeed(), rounds);
      INFO(difference.value_or(""));
      CHECK_FALSE(difference.has_value());
    }
}

}  // namespace

TEST_CASE("the reference engine comes first") {
  REQUIRE_FALSE(all_engines().empty());
  CHECK(all_engines().front() == &openssl_engine());
}

TEST_CASE("engines agree on random messages") {
  check_all_pairs(kRounds);
}

TEST_CASE("engines agree on many random messages", "[.long]") {
  check_all_pairs(100 * kRounds);
}

TEST_CASE("the comparison of engines notices every kind of fault") {
  CHECK_FALSE(test::first_difference(openssl_engine(), FaultyEngine(Fault::kNone), 1, kRounds));
  for (const Fault fault :
       {Fault::kCiphertext, Fault::kTag, Fault::kInPlace, Fault::kAcceptsEverything,
        Fault::kKeepsPlaintext, Fault::kBlocks, Fault::kForgetBreaks}) {
    INFO("fault " << static_cast<int>(fault));
    CHECK(test::first_difference(openssl_engine(), FaultyEngine(fault), 1, kRounds));
    CHECK(test::first_difference(FaultyEngine(fault), openssl_engine(), 1, kRounds));
  }
}
