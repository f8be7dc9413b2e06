/* A governed vault through the C interface, with real keys and signatures of ssh-keygen. */
#include "capi.h"

#include <quietus/operations.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* const no_id = "00000000000000000000000000000000";

typedef struct Governed {
  char folder[256];
  quietus_vault vault;
  char id[33];
  char state[32];
  char missing[256];
  int subjects;
} Governed;
static char text[1 << 16];
static char signature[1 << 14];
static size_t text_size;

static int run(const char* folder, const char* const* arguments) {
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(folder) != 0) _exit(126);
    execvp(arguments[0], (char* const*)arguments);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

static void read_file(const char* folder, const char* name, char* into, size_t capacity) {
  char path[320];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* const file = fopen(path, "rb");
  const size_t size = file == NULL ? 0 : fread(into, 1, capacity - 1, file);
  EXPECT_TRUE(size > 0);
  into[size] = '\0';
  if (file != NULL) fclose(file);
}

/* What `text` holds, signed by that person. */
static void sign(const Governed* g, const char* who, const char* use) {
  char path[320];
  snprintf(path, sizeof path, "%s/text", g->folder);
  FILE* const file = fopen(path, "wb");
  EXPECT_TRUE(file != NULL && fwrite(text, 1, text_size, file) == text_size && fclose(file) == 0);
  snprintf(path, sizeof path, "%s/text.sig", g->folder);
  (void)unlink(path);
  const char* const arguments[] = {"ssh-keygen", "-q", "-Y", "sign", "-n",
                                   use,          "-f", who,  "text", NULL};
  EXPECT_TRUE(run(g->folder, arguments) == 0);
  read_file(g->folder, "text.sig", signature, sizeof signature);
}

static void acts(const Governed* g, const char* who, const char* duty) {
  EXPECT(QUIETUS_OK, quietus_challenge(g->vault, who, duty, text, sizeof text, &text_size));
  sign(g, who, "act@quietus");
  EXPECT(QUIETUS_OK, quietus_act(g->vault, signature, duty));
}

static int see_request(void* context, const quietus_request* request) {
  Governed* const g = context;
  EXPECT_TRUE(request->size == sizeof *request && request->opened_ms > 0);
  snprintf(g->id, sizeof g->id, "%s", request->id);
  snprintf(g->state, sizeof g->state, "%s", request->state);
  snprintf(g->missing, sizeof g->missing, "%s", request->missing);
  g->subjects = (int)request->subject_count;
  return 0;
}

static void approved(Governed* g, const char* who) {
  acts(g, who, "approve");
  EXPECT(QUIETUS_TOO_SMALL, quietus_request_plan(g->vault, g->id, NULL, 0, &text_size));
  EXPECT(QUIETUS_OK, quietus_request_plan(g->vault, g->id, text, sizeof text, &text_size));
  sign(g, who, "verify@quietus");
  EXPECT(QUIETUS_EUNVERIFIED, quietus_approve_request(g->vault, g->id, signature, NULL, NULL));
  sign(g, who, "approve@quietus");
  EXPECT(QUIETUS_OK, quietus_approve_request(g->vault, g->id, signature, see_request, g));
  EXPECT_TRUE(strcmp(g->state, "approved") == 0 && !*g->missing);
}

static int make_governed(Fixture* f, Governed* g) {
  static const char* const people[] = {"ada", "ben"};
  for (int i = 0; i < 2; ++i) {
    const char* const arguments[] = {"ssh-keygen", "-q", "-t",      "ed25519", "-N",
                                     "",           "-f", people[i], NULL};
    if (run(f->folder, arguments) == 127) return 0;
  }
  static const char* const roles[] = {"admin", "verifier"};
  char key[512], folder[320], roots[320];
  read_file(f->folder, "ada.pub", key, sizeof key);
  snprintf(folder, sizeof folder, "%s/governed", f->folder);
  snprintf(roots, sizeof roots, "%s/governed-roots", f->folder);
  quietus_operator ada = {sizeof ada, "ada", roles, 0, key, 0, 0};
  const quietus_create_options options = {sizeof options, roots, 0, 1};
  snprintf(g->folder, sizeof g->folder, "%s", f->folder);
  EXPECT_TRUE(quietus_create_governed(folder, &f->unlock, &options, &ada, &g->vault) < 0);
  EXPECT(QUIETUS_EINVALID, quietus_create_governed(folder, &f->unlock, &options, NULL, &g->vault));
  EXPECT_TRUE(g->vault == NULL);
  ada.role_count = 2;
  EXPECT(QUIETUS_OK, quietus_create_governed(folder, &f->unlock, &options, &ada, &g->vault));
  return 1;
}

static void second_person(Governed* g) {
  static const char* const roles[] = {"operator"};
  char key[512];
  read_file(g->folder, "ben.pub", key, sizeof key);
  const quietus_operator ben = {sizeof ben, "ben", roles, 1, key, 0, 0};
  EXPECT(QUIETUS_EREFUSED, quietus_propose_operator(g->vault, &ben, NULL, NULL)); /* nobody acts */
  acts(g, "ada", "change");
  EXPECT(QUIETUS_OK, quietus_propose_operator(g->vault, &ben, see_request, g));
  EXPECT(QUIETUS_EREFUSED, quietus_execute_request(g->vault, g->id, NULL, NULL));
  approved(g, "ada");
  acts(g, "ada", "execute");
  EXPECT(QUIETUS_OK, quietus_execute_request(g->vault, g->id, see_request, g));
  EXPECT_TRUE(strcmp(g->state, "done") == 0);
}

static void verified_deletion(Governed* g) {
  static const char* const acme[] = {"acme/jane"};
  quietus_request_spec spec = {.size = sizeof spec,
                               .kind = "deletion",
                               .scopes = acme,
                               .scope_count = 1,
                               .reason = "deletion-request",
                               .contact = "jane@example"};
  const quietus_evidence card = {sizeof card, "identity-card", "a scan", 6};
  EXPECT(QUIETUS_OK, quietus_create_scope(g->vault, "acme", NULL, NULL));
  EXPECT(QUIETUS_OK, quietus_create_scope(g->vault, "acme/jane", NULL, NULL));
  EXPECT(QUIETUS_EREFUSED, quietus_erase(g->vault, acme, 1, "deletion-request", NULL, NULL));
  acts(g, "ben", "ask");
  EXPECT(QUIETUS_OK, quietus_open_request(g->vault, &spec, see_request, g));
  acts(g, "ada", "verify");
  EXPECT(QUIETUS_OK, quietus_verification(g->vault, g->id, &card, text, sizeof text, &text_size));
  sign(g, "ada", "verify@quietus");
  EXPECT(QUIETUS_OK, quietus_verify_request(g->vault, g->id, text, signature, see_request, g));
  EXPECT_TRUE(strcmp(g->state, "verified") == 0);
  EXPECT(QUIETUS_OK, quietus_extend_request(g->vault, g->id, INT64_C(4102444800000), "complex"));
  approved(g, "ada");
  acts(g, "ben", "execute");
  EXPECT(QUIETUS_OK, quietus_execute_request(g->vault, g->id, see_request, g));
  EXPECT_TRUE(strcmp(g->state, "done") == 0 && g->subjects == 1);
  quietus_scope gone = NULL;
  EXPECT(QUIETUS_EERASED, quietus_open_scope(g->vault, "acme/jane", &gone));
  EXPECT(QUIETUS_EREFUSED, quietus_complete_request(g->vault, g->id));
  EXPECT(QUIETUS_OK, quietus_requests(g->vault, g->id, see_request, g));
  EXPECT(QUIETUS_OK, quietus_requests(g->vault, NULL, see_request, g));
  /* Requests that come to nothing. */
  static const char* const tenant[] = {"acme"};
  spec.scopes = tenant;
  acts(g, "ben", "ask");
  EXPECT(QUIETUS_OK, quietus_open_request(g->vault, &spec, see_request, g));
  EXPECT(QUIETUS_OK, quietus_cancel_request(g->vault, g->id));
  EXPECT(QUIETUS_OK, quietus_open_request(g->vault, &spec, see_request, g));
  acts(g, "ada", "approve");
  EXPECT(QUIETUS_OK, quietus_reject_request(g->vault, g->id, "not-justified"));
  spec.kind = "whim";
  EXPECT(QUIETUS_EINVALID, quietus_open_request(g->vault, &spec, NULL, NULL));
  spec.size = 9;
  EXPECT(QUIETUS_EINVALID, quietus_open_request(g->vault, &spec, NULL, NULL));
}

static void null_to_requests(quietus_vault vault) {
  quietus_request_spec spec = {.size = sizeof spec, .kind = "deletion", .reason = "other"};
  quietus_operator nobody = {.size = sizeof nobody};
  quietus_evidence none = {.size = sizeof none};
  char some[8];
  size_t size = 0;
  EXPECT(QUIETUS_EINVALID, quietus_challenge(vault, NULL, "look", some, sizeof some, &size));
  EXPECT(QUIETUS_EINVALID, quietus_challenge(vault, "ada", NULL, some, sizeof some, &size));
  EXPECT(QUIETUS_EINVALID, quietus_challenge(vault, "ada", "look", some, sizeof some, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_act(vault, NULL, "look"));
  EXPECT(QUIETUS_EINVALID, quietus_act(vault, "", NULL));
  EXPECT(QUIETUS_EINVALID, quietus_open_request(vault, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_open_request(vault, &spec, NULL, NULL)); /* about nothing */
  spec.scope_count = 1;
  EXPECT(QUIETUS_EINVALID, quietus_open_request(vault, &spec, NULL, NULL));
  spec.kind = NULL;
  EXPECT(QUIETUS_EINVALID, quietus_open_request(vault, &spec, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_propose_operator(vault, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_propose_operator(vault, &nobody, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_verification(vault, no_id, NULL, some, sizeof some, &size));
  EXPECT(QUIETUS_EINVALID, quietus_verification(vault, no_id, &none, some, sizeof some, &size));
  none.method = "identity-card", none.data_size = 1;
  EXPECT(QUIETUS_EINVALID, quietus_verification(vault, no_id, &none, some, sizeof some, &size));
  EXPECT(QUIETUS_EINVALID, quietus_verify_request(vault, no_id, NULL, "", NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_verify_request(vault, no_id, "", NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_request_plan(vault, NULL, some, sizeof some, &size));
  EXPECT(QUIETUS_EINVALID, quietus_approve_request(vault, no_id, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_execute_request(vault, NULL, NULL, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_reject_request(vault, no_id, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_extend_request(vault, no_id, 1, NULL));
  EXPECT(QUIETUS_EINVALID, quietus_requests(vault, NULL, NULL, NULL));
  EXPECT(QUIETUS_ENOTFOUND, quietus_requests(vault, no_id, see_request, NULL));
}

void test_governed(Fixture* f) {
  Governed g = {.id = ""};
  if (!make_governed(f, &g)) {
    puts("capi: ssh-keygen is not installed: no governed vault");
    return;
  }
  second_person(&g);
  verified_deletion(&g);
  null_to_requests(g.vault);
  EXPECT(QUIETUS_OK, quietus_close(g.vault));
  use_operations(g.vault, QUIETUS_EINVALID);
}
