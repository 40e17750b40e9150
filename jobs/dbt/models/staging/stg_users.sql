with published as (

    select * from {{ source('deftunes_transform', 'users') }}

)

select
    cast(user_id as varchar(64)) as user_id,
    cast(user_lastname as varchar(1024)) as user_lastname,
    cast(user_name as varchar(1024)) as user_name,
    cast(user_since as timestamp) as user_since,
    cast(place_name as varchar(1024)) as place_name,
    cast({{ known_country('country_code') }} as varchar(64)) as country_code,
    cast(ingest_on as date) as ingest_on
from published
