// The C interface: who acts, and the requests of a governed vault.
#include <quietus/governance.hpp>

#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

namespace {

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> found;
  found.reserve(texts.size());
  for (const std::string& one : texts) found.push_back(one.c_str());
  return found;
}

int show(const RequestInfo& request, quietus_request_visit visit, void* context) {
  if (visit == nullptr) return 0;
  const auto scopes = pointers(request.scopes);
  std::vector<quietus_subject> subjects;
  subjects.reserve(request.subjects.size());
  for (const SubjectOpening& one : request.subjects)
    subjects.push_back({one.scope_id, one.path.c_str(), one.salt.c_str()});
  quietus_request info{};
  info.size = sizeof info;
  info.id = request.id.c_str();
  info.kind = request.kind.c_str();
  info.state = request.state.c_str();
  info.scopes = scopes.data();
  info.scope_count = scopes.size();
  info.reason = request.reason.c_str();
  info.contact = request.contact.c_str();
  info.opened_ms = request.opened_unix_ms;
  info.deadline_ms = request.deadline_unix_ms;
  info.overdue = request.overdue ? 1 : 0;
  info.approvals = request.approvals.size();
  info.missing = request.missing.c_str();
  info.erasure_id = request.erasure_id.c_str();
  info.ended_ms = request.ended_unix_ms;
  info.subjects = subjects.data();
  info.subject_count = subjects.size();
  return visit(context, &info);
}

// What is done with a request that is there, and what it is then.
template <class Step>
int stepped(quietus_vault vault, const char* id, quietus_request_visit visit, void* context,
            const Step& step) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto request, text(id, "the id"));
    Governance governance = held->governance();
    const Result<RequestInfo> done = step(governance, request);
    if (!done) return done.error();
    show_done([&] { static_cast<void>(show(*done, visit, context)); });
    return QUIETUS_OK;
  });
}

Result<RequestSpec> spec_from(const quietus_request_spec* request) {
  QUIETUS_TRY(not_null(request, "the request"));
  QUIETUS_TRY_AS(const quietus_request_spec given, options(request));
  RequestSpec spec;
  QUIETUS_TRY_AS(spec.kind, text(given.kind, "the kind"));
  QUIETUS_TRY_AS(spec.scopes, paths(given.scopes, given.scope_count));
  QUIETUS_TRY_AS(spec.reason, text(given.reason, "the reason"));
  if (given.contact != nullptr) spec.contact = given.contact;
  QUIETUS_TRY_AS(spec.records, paths(given.records, given.record_count));
  return spec;
}

}  // namespace

int quietus_challenge(quietus_vault vault, const char* name, const char* action, char* buffer,
                      size_t capacity, size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto who, text(name, "the name"));
    QUIETUS_TRY_AS(const auto what, text(action, "the action"));
    QUIETUS_TRY_AS(const std::string challenge, held->governance().challenge(who, what));
    return give_text(challenge, buffer, capacity, size);
  });
}

int quietus_act(quietus_vault vault, const char* signature, const char* duty) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto signed_by, text(signature, "the signature"));
    QUIETUS_TRY_AS(const auto what, text(duty, "the duty"));
    QUIETUS_TRY(held->governance().act(signed_by, what));
    return QUIETUS_OK;
  });
}

int quietus_open_request(quietus_vault vault, const quietus_request_spec* request,
                         quietus_request_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const RequestSpec spec, spec_from(request));
    QUIETUS_TRY_AS(const RequestInfo opened, held->governance().open(spec));
    show_done([&] { static_cast<void>(show(opened, visit, context)); });
    return QUIETUS_OK;
  });
}

int quietus_propose_operator(quietus_vault vault, const quietus_operator* person,
                             quietus_request_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const OperatorSpec spec, operator_from(person));
    QUIETUS_TRY_AS(const RequestInfo proposed, held->governance().propose_operator(spec));
    show_done([&] { static_cast<void>(show(proposed, visit, context)); });
    return QUIETUS_OK;
  });
}

int quietus_verification(quietus_vault vault, const char* id, const quietus_evidence* evidence,
                         char* buffer, size_t capacity, size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto request, text(id, "the id"));
    QUIETUS_TRY(not_null(evidence, "the evidence"));
    QUIETUS_TRY_AS(const quietus_evidence given, options(evidence));
    QUIETUS_TRY_AS(const auto method, text(given.method, "the method"));
    QUIETUS_TRY_AS(const ByteView seen, bytes(given.data, given.data_size));
    QUIETUS_TRY_AS(const std::string statement,
                   held->governance().verification(request, method, seen));
    return give_text(statement, buffer, capacity, size);
  });
}

int quietus_verify_request(quietus_vault vault, const char* id, const char* statement,
                           const char* signature, quietus_request_visit visit, void* context) {
  return stepped(vault, id, visit, context,
                 [&](Governance& governance, std::string_view request) -> Result<RequestInfo> {
                   QUIETUS_TRY_AS(const auto stated, text(statement, "the statement"));
                   QUIETUS_TRY_AS(const auto signed_by, text(signature, "the signature"));
                   return governance.verify(request, stated, signed_by);
                 });
}

int quietus_request_plan(quietus_vault vault, const char* id, char* buffer, size_t capacity,
                         size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto request, text(id, "the id"));
    QUIETUS_TRY_AS(const std::string plan, held->governance().plan(request));
    return give_text(plan, buffer, capacity, size);
  });
}

int quietus_approve_request(quietus_vault vault, const char* id, const char* signature,
                            quietus_request_visit visit, void* context) {
  return stepped(vault, id, visit, context,
                 [&](Governance& governance, std::string_view request) -> Result<RequestInfo> {
                   QUIETUS_TRY_AS(const auto signed_by, text(signature, "the signature"));
                   return governance.approve(request, signed_by);
                 });
}

int quietus_execute_request(quietus_vault vault, const char* id, quietus_request_visit visit,
                            void* context) {
  return stepped(vault, id, visit, context, [](Governance& governance, std::string_view request) {
    return governance.execute(request);
  });
}

int quietus_complete_request(quietus_vault vault, const char* id) {
  return stepped(vault, id, nullptr, nullptr, [](Governance& governance, std::string_view request) {
    return governance.complete(request);
  });
}

int quietus_extend_request(quietus_vault vault, const char* id, int64_t deadline_ms,
                           const char* reason) {
  return stepped(vault, id, nullptr, nullptr,
                 [&](Governance& governance, std::string_view request) -> Result<RequestInfo> {
                   QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
                   return governance.extend(request, deadline_ms, why);
                 });
}

int quietus_reject_request(quietus_vault vault, const char* id, const char* reason) {
  return stepped(vault, id, nullptr, nullptr,
                 [&](Governance& governance, std::string_view request) -> Result<RequestInfo> {
                   QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
                   return governance.reject(request, why);
                 });
}

int quietus_cancel_request(quietus_vault vault, const char* id) {
  return stepped(vault, id, nullptr, nullptr, [](Governance& governance, std::string_view request) {
    return governance.cancel(request);
  });
}

int quietus_requests(quietus_vault vault, const char* id, quietus_request_visit visit,
                     void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    Governance governance = held->governance();
    std::vector<RequestInfo> all;
    if (id != nullptr) {
      QUIETUS_TRY_AS(RequestInfo one, governance.request(id));
      all.push_back(std::move(one));
    } else {
      QUIETUS_TRY_AS(all, governance.requests());
    }
    for (const RequestInfo& one : all)
      if (show(one, visit, context) != 0) return QUIETUS_STOPPED;
    return QUIETUS_OK;
  });
}
