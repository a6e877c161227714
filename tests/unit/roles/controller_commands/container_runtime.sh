# shellcheck shell=sh
# A container runtime whose one container is files of a folder: sh container_runtime.sh FOLDER VERB.
#
# A file hang-VERB or refuse-VERB there has that verb wait or fail; a file slow has stop take a while, as a real one does.
PATH=/usr/bin:/bin
verb=$2
cd "$1" || exit
echo "$verb" >>told
while [ -e "hang-$verb" ]; do sleep 0.02; done
if [ -e "refuse-$verb" ]; then
	echo no such luck >&2
	exit 125
fi
case $verb in
listed) [ ! -e container ] || echo be84f4759644 ;;
running) [ ! -e running ] || echo be84f4759644 ;;
create) [ ! -e container ] && : >container ;;
start) [ -e container ] && : >running ;;
stop)
	[ ! -e slow ] || sleep 0.5
	rm -f running
	;;
remove) rm container ;;
log) printf 'EAL: Detected CPU lcores: 2\nEAL: no free hugepages\n' ;;
esac
