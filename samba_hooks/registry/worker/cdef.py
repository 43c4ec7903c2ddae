"""What the worker calls of libsmbconf.so.0 and the libraries below it, in C.

The signatures are the same in Samba 4.13, 4.17, 4.22, 4.24 and in its development branch
of 2026, and all of the symbols are there in Debian's 4.13, 4.17, 4.22 and 4.25. Symbols of
tevent and Samba's private libraries are found through the same handle, since libsmbconf
depends on them; what every worker calls is declared in `samba_hooks.worker.library`.
NTSTATUS is a structure of one uint32_t in Samba, which the ABIs of x86-64 and aarch64
return like the bare number.
"""

DECLARATIONS = """
typedef struct _IO_FILE FILE;
typedef uint32_t NTSTATUS;
typedef int sbcErr;
struct smbconf_ctx;
struct security_descriptor;
struct messaging_context;
struct tevent_context;
struct tevent_fd;
struct smbconf_service {
    char *name;
    uint32_t num_params;
    char **param_names;
    char **param_values;
};

FILE *open_memstream(char **text, size_t *size);
int fclose(FILE *stream);
void free(void *memory);
int inotify_init1(int flags);
int inotify_add_watch(int inotify, const char *path, uint32_t changes);
int prctl(int option, unsigned long value);

const char *samba_version_string(void);
int lp_server_role(void);
const char *server_role_str(uint32_t role);

bool lp_load_global(const char *file);
bool lp_load_with_shares(const char *file);
bool lp_do_parameter(int snum, const char *name, const char *value);
void lp_kill_all_services(void);
void lp_killservice(int snum);
int lp_numservices(void);
bool lp_snum_ok(int snum);
int lp_servicenumber(const char *name);
const char *lp_const_servicename(int snum);
bool process_registry_service(const char *name);
bool lp_registry_shares(void);
void lp_dump(FILE *stream, bool show_defaults, int services);
void lp_dump_one(FILE *stream, bool show_defaults, int snum);
char *talloc_sub_basic(TALLOC_CTX *mem, const char *user, const char *domain, const char *text);

const char *sbcErrorString(sbcErr error);
sbcErr smbconf_init(TALLOC_CTX *mem, struct smbconf_ctx **ctx, const char *source);
void smbconf_shutdown(struct smbconf_ctx *ctx);
bool smbconf_share_exists(struct smbconf_ctx *ctx, const char *name);
bool smbconf_reg_parameter_is_valid(const char *name);
sbcErr smbconf_get_share_names(struct smbconf_ctx *ctx, TALLOC_CTX *mem,
                               uint32_t *count, char ***names);
sbcErr smbconf_get_includes(struct smbconf_ctx *ctx, TALLOC_CTX *mem, const char *name,
                            uint32_t *count, char ***includes);
sbcErr smbconf_create_set_share(struct smbconf_ctx *ctx, struct smbconf_service *service);
sbcErr smbconf_delete_share(struct smbconf_ctx *ctx, const char *name);
sbcErr smbconf_get_parameter(struct smbconf_ctx *ctx, TALLOC_CTX *mem, const char *share,
                             const char *name, char **value);
sbcErr smbconf_set_parameter(struct smbconf_ctx *ctx, const char *share,
                             const char *name, const char *value);
sbcErr smbconf_transaction_start(struct smbconf_ctx *ctx);
sbcErr smbconf_transaction_commit(struct smbconf_ctx *ctx);
sbcErr smbconf_transaction_cancel(struct smbconf_ctx *ctx);
int regdb_get_seqnum(void);

struct security_descriptor *get_share_security(TALLOC_CTX *mem, const char *share, size_t *size);
NTSTATUS set_share_security(const char *share, struct security_descriptor *descriptor);
NTSTATUS delete_share_security(const char *share);
bool security_descriptor_equal(const struct security_descriptor *one,
                               const struct security_descriptor *other);
const char *nt_errstr(NTSTATUS status);

struct tevent_context *tevent_context_init(TALLOC_CTX *mem);
int _tevent_loop_once(struct tevent_context *ev, const char *location);
typedef void (*tevent_fd_handler_t)(struct tevent_context *ev, struct tevent_fd *fde,
                                    uint16_t flags, void *private_data);
struct tevent_fd *_tevent_add_fd(struct tevent_context *ev, TALLOC_CTX *mem, int fd,
                                 uint16_t flags, tevent_fd_handler_t handler,
                                 void *private_data, const char *handler_name,
                                 const char *location);
struct messaging_context *messaging_init(TALLOC_CTX *mem, struct tevent_context *ev);
struct server_id {
    uint64_t pid;
    uint32_t task_id;
    uint32_t vnn;
    uint64_t unique_id;
};
struct server_id pid_to_procid(int pid);
int pidfile_pid(const char *directory, const char *program);
NTSTATUS messaging_send_buf(struct messaging_context *ctx, struct server_id server,
                            uint32_t type, const uint8_t *data, size_t size);
void messaging_send_all(struct messaging_context *ctx, int type, const void *data, size_t size);
"""
