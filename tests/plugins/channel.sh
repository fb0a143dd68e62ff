# A channel plug-in for tests, of the first generation, in the shell: it takes everything.
while IFS= read -r line; do
    id=${line##*\"id\":}
    id=${id%\}}
    case $line in
        *'"method":"GetInfo"'*) printf '{"result":{"name":"Shell","version":"0.1","author":"","config_attrs":[]},"id":%s}' "$id" ;;
        *'"method":"SetConfig"'*) printf '{"id":%s}' "$id" ;;
        *) printf '{"result":"taken by the shell",\n"id":%s}' "$id" ;;
    esac
done
