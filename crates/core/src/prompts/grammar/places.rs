//! What grows, lies or stands outside, and what people put up there.

use super::Group;

pub(super) const STATUES: &[Group] = &[
    Group {
        looks: "white marble,weathered bronze,cracked granite,mossy limestone,gilded,black basalt,terracotta,jade",
        objects: "lion statue,horse statue,angel statue,warrior statue,philosopher bust,emperor bust,dancer statue,\
                  elephant statue,eagle statue,saint statue",
        features: "on square pedestal,with missing nose,with outstretched right hand,wrapped in carved ivy,\
                   with inscribed base,with serene expression,with broken left ear",
    },
    Group {
        looks: "abstract,polished steel,colorful glass,rough wooden,kinetic,welded iron,clay,geometric",
        objects: "sculpture of embracing couple,sculpture of running deer,sculpture of raised fist,\
                  sculpture of twisted ribbon,sculpture of sleeping child,sculpture of two swans,\
                  sculpture of leaping dolphin,sculpture of open book,sculpture of nested rings,sculpture of human head",
        features: "with smooth curves,with gold leaf accents,with visible tool marks,with faceted surfaces,\
                   on thin metal rod,with blue patina,with mirrored finish",
    },
];

pub(super) const PLANTS: &[Group] = &[
    Group {
        looks: "gnarled,ancient,slender,dead hollow,windswept,twisted,lightning-struck,snow-covered",
        objects: "oak tree,willow tree,cherry tree,pine tree,olive tree,birch tree,baobab tree,maple tree,apple tree,\
                  palm tree",
        features: "with exposed roots,with hollow trunk,with hanging moss,with rope swing,with carved heart on its bark,\
                   with small birdhouse,with split trunk",
    },
    Group {
        looks: "red spotted,glowing blue,clustered brown,pale white,purple,giant orange,delicate yellow,slimy green",
        objects: "toadstool,chanterelle,puffball mushroom,oyster mushrooms,morel,shelf fungus,ink cap,button mushrooms,\
                  parasol mushroom,fairy ring mushroom",
        features: "with tall thin stem,growing on rotten log,with ruffled gills,with tiny snail on top,\
                   with dripping cap,surrounded by clover leaves,with ragged edges",
    },
    Group {
        looks: "blooming pink,spiky,variegated,drooping,miniature,lush green,wilted,striped",
        objects: "cactus,monstera,orchid,fern,bonsai,aloe plant,venus flytrap,snake plant,rose bush,succulent",
        features: "in terracotta pot,in hanging macrame basket,in cracked blue pot,with curled leaves,\
                   in square wooden planter,with one bright flower,in glass terrarium",
    },
];

pub(super) const ROCKS: &[Group] = &[
    Group {
        looks: "purple,deep green,translucent pink,sky-blue,smoky gray,blood-red,golden,iridescent",
        objects: "amethyst cluster,quartz crystal,fluorite cube,tourmaline crystal,geode half,calcite cluster,\
                  topaz crystal,beryl crystal,celestite cluster,raw gemstone",
        features: "with jagged points,on rough stone base,with milky core,with rainbow reflections,\
                   with sharp hexagonal facets,with sparkling inner cavity,with rusty veins",
    },
    Group {
        looks: "mossy,cracked,smooth,layered,pitted,jagged,rounded,weathered",
        objects: "granite boulder,sandstone slab,basalt column,limestone block,lava rock,slate stack,marble chunk,\
                  river-worn pebble,meteorite,flint nodule",
        features: "with white quartz veins,with embedded fossil shell,with orange lichen patches,with deep fissures,\
                   with rust-colored bands,with carved spiral symbol,with glittering mica flecks",
    },
];

pub(super) const BUILDINGS: &[Group] = &[
    Group {
        looks: "crooked,abandoned,red brick,whitewashed,timber-framed,stone,snow-covered,ivy-covered",
        objects: "cottage,farmhouse,windmill,lighthouse,chapel,barn,watchtower,tavern,bakery,mill house",
        features: "with thatched roof,with round wooden door,with tall chimney,with broken shutters,\
                   with arched stone entrance,with wooden balcony,with lanterns beside its door",
    },
    Group {
        looks: "futuristic,art deco,brutalist concrete,victorian,glass-fronted,neon-lit,japanese,baroque",
        objects: "skyscraper,train station,theater,library,museum,hotel,apartment block,opera house,diner,greenhouse",
        features: "with curved facade,with golden dome,with rooftop antenna,with outer spiral staircase,\
                   with clock above its entrance,with tall columns,with green copper roof",
    },
];

pub(super) const ENCHANTED: &[Group] = &[
    Group {
        looks: "enchanted,moonstone,crumbling elven,floating crystal,vine-wrapped,haunted,obsidian,golden",
        objects: "wizard tower,portal arch,wishing well,stone circle,fairy shrine,dragon temple,spirit gate,moon altar,\
                  sorcerer observatory,rune obelisk",
        features: "with glowing blue runes,with floating stone rings,with swirling purple energy,\
                   with guardian statues on both sides,with twisted roots around its base,with hovering candles,\
                   with star-shaped keystone",
    },
    Group {
        looks: "giant mushroom,hollow tree,gingerbread,seashell,upside-down,teapot-shaped,pumpkin,candy-striped",
        objects: "house,cottage,castle,inn,bakery,tower,palace,chapel,workshop,treehouse",
        features: "with tiny round doors,with crooked smoking chimney,with glowing lanterns,with spiral rope ladder,\
                   with singing flowers beside its door,with stained glass dome,with butterfly wings on its roof",
    },
];

pub(super) const HISTORICAL: &[Group] = &[
    Group {
        looks: "ancient greek,roman,egyptian,mayan,persian,etruscan,minoan,mesopotamian",
        objects: "amphora,oil lamp,burial mask,ceremonial dagger,stone tablet,bronze mirror,coin hoard,votive figurine,\
                  drinking cup,incense burner",
        features: "with chipped edges,with painted black figures,with carved hieroglyph border,with green patina,\
                   with missing handle,with traces of gold leaf,with geometric bands",
    },
    Group {
        looks: "medieval,renaissance,victorian,ottoman,tudor,viking,colonial,byzantine",
        objects: "astrolabe,reliquary box,hourglass,wax seal stamp,sundial,iron treasure chest,brass telescope,\
                  illuminated manuscript,globe on stand,writing quill set",
        features: "with engraved coat of arms,with tarnished silver fittings,with brass corner fittings,with cracked wooden base,\
                   with ivory inlay,with faded red enamel,with intricate scrollwork",
    },
];
