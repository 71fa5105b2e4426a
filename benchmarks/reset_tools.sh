#!/bin/sh
# Install the tools that `inv bench --reset` compares with the tasks into one folder: sh benchmarks/reset_tools.sh FOLDER
# Each tool is installed separately. If one cannot be installed, it is left out, and the benchmark says so.
# The machine provides Node.js and npm, and on Debian the packages of Rails.
set -u
folder=${1:?usage: sh benchmarks/reset_tools.sh FOLDER}
mkdir -p "$folder/node"

python3 -m venv "$folder/py" && "$folder/py/bin/pip" install --quiet django dslr 'psycopg[binary]' ||
  echo 'not installed: Django, DSLR' >&2

cd "$folder/node" || exit 1
[ -f package.json ] || npm init -y >/dev/null
npm install --silent --save-exact knex pg || echo 'not installed: Knex' >&2
npm install --silent --save-exact dbmate || echo 'not installed: dbmate' >&2
npm install --silent --save-exact supabase@2.117.0 || echo 'not installed: Supabase CLI' >&2

# Install only the database tasks of Rails: no web server, no asset pipeline.
apt-get install --yes --quiet --no-install-recommends ruby ruby-activerecord ruby-railties ruby-pg rake >/dev/null ||
  echo 'not installed: Rails (elsewhere: gem install rails pg, rake on PATH)' >&2
