#!/bin/sh
# A child in shell: counts the words of a line, with protocol="text".
echo ready
while read -r id text; do
    case $id in
    stop) break ;;
    cancel | -) ;;
    *)
        if [ -z "$text" ]; then
            echo "refused $id there is nothing to count"
        else
            echo "$id $(echo "$text" | wc -w)"
        fi
        ;;
    esac
done
