/*
 * Linked into static programs only, by packaging/build.
 *
 * A static program contains the look-ups "files" and "dns" of the C library. For any other name in /etc/nsswitch.conf,
 * such as "resolve", "myhostname" or "mdns4_minimal", it would load a library of the host, and crash if the host's C
 * library is of another version. With this, the host's /etc/nsswitch.conf is not read.
 */
#include <nss.h>

__attribute__((constructor)) static void use_built_in_lookups(void)
{
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("networks", "files");
    __nss_configure_lookup("services", "files");
    __nss_configure_lookup("protocols", "files");
    __nss_configure_lookup("passwd", "files");
    __nss_configure_lookup("group", "files");
    __nss_configure_lookup("initgroups", "files");
}
