# Certificates for the tests of the programs, in the folder that they run in.

# sign_cert NAME ISSUER: of NAME.csr with NAME.ext; ISSUER `-`: self-signed.
sign_cert() {
	if [ "$2" = - ]; then
		openssl x509 -req -in "$1.csr" -signkey "$1.key" \
		    -days 30 -extfile "$1.ext" -out "$1.pem"
	else
		openssl x509 -req -in "$1.csr" -CA "$2.pem" \
		    -CAkey "$2.key" -set_serial "0x$RANDOM" -days 20 \
		    -extfile "$1.ext" -out "$1.pem"
	fi 2>/dev/null
}

# make_cert NAME ISSUER SUBJECT EXTENSIONS...: with a key of its own;
# KEYTYPE=rsa makes an RSA key.
make_cert() {
	local name=$1 issuer=$2 subject=$3
	shift 3
	printf '%s\n' "$@" >"$name.ext"
	if [ "${KEYTYPE:-ec}" = rsa ]; then
		openssl genrsa -out "$name.key" 2048
	else
		openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	fi 2>/dev/null
	openssl req -new -key "$name.key" -subj "$subject" -out "$name.csr"
	sign_cert "$name" "$issuer"
}
